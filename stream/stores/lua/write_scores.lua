-- Writes members of a sorted set, also where Redis is full.
--
-- KEYS   1: cohorts, listeners:expired, listeners:expired-told, or listeners:erased
-- ARGV   1: msgpack [member, score, member, ...]
--
-- A Redis that has reached maxmemory refuses ZADD, but not in a script that has written before: ZREM is never
-- refused, and a script is not stopped in the middle.

local given = cmsgpack.unpack(ARGV[1])
for at = 1, #given, 2 do
  redis.call('ZREM', KEYS[1], given[at])
  redis.call('ZADD', KEYS[1], given[at + 1], given[at])
end
