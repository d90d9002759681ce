-- Some fields of some listeners' own records, or of another hash of theirs.
--
-- KEYS   1: a key of the first; on a cluster all keys that it touches, of all of them: they are in one slot
-- ARGV   1: msgpack [listener, ...]   2: what follows user:{ID} in the key of the hash   3...: fields
-- result msgpack [[value, ...], ...]; false for what is not there

local fields = {unpack(ARGV, 3)}
local found = {}
for i, id in ipairs(cmsgpack.unpack(ARGV[1])) do
  found[i] = redis.call('HMGET', 'user:{' .. id .. '}' .. ARGV[2], unpack(fields))
end
return cmsgpack.pack(found)
