-- Notes with listeners' traits, also where Redis is full, since when they have done nothing.
--
-- KEYS   1: a key of the first; on a cluster all keys that it touches, of all of them: they are in one slot
-- ARGV   1: msgpack [listener, the note, listener, ...]
--
-- A Redis that has reached maxmemory refuses HSET, but not in a script that has written before: HDEL is never
-- refused, and a script is not stopped in the middle.

local given = cmsgpack.unpack(ARGV[1])
for at = 1, #given, 2 do
  local user = 'user:{' .. given[at] .. '}'
  if redis.call('EXISTS', user) == 1 then
    redis.call('HDEL', user .. ':traits', 'dormant')
    redis.call('HSET', user .. ':traits', 'dormant', given[at + 1])
  end
end
