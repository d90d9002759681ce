-- Some traits of some listeners.
--
-- KEYS   1: user:{ID}:traits of the first; on a cluster all of them are in its slot
-- ARGV   1: msgpack [listener, ...]   2...: fields
-- result msgpack [[value, ...], ...]; false for what is not there

local fields = {unpack(ARGV, 2)}
local found = {}
for i, id in ipairs(cmsgpack.unpack(ARGV[1])) do
  found[i] = redis.call('HMGET', 'user:{' .. id .. '}:traits', unpack(fields))
end
return cmsgpack.pack(found)
