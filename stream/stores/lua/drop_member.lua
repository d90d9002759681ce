-- Takes listeners out of a cohort and writes its size, also where Redis is full.
--
-- KEYS   1: cohort:{C}:users   2: cohort:{C}
-- ARGV   listeners
-- result how many of them were members
--
-- A Redis that has reached maxmemory refuses HSET, but not in a script that has written before: SREM is never
-- refused, and a script is not stopped in the middle.

local gone = redis.call('SREM', KEYS[1], unpack(ARGV))
if gone > 0 then
  redis.call('HSET', KEYS[2], 'size', redis.call('SCARD', KEYS[1]))
end
return gone
