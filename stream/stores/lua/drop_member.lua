-- Takes a listener out of a cohort and writes its size, also where Redis is full.
--
-- KEYS   1: cohort:{C}:users   2: cohort:{C}
-- ARGV   1: the listener
-- result 1 where they were a member, else 0
--
-- A Redis that has reached maxmemory refuses HSET, but not in a script that has written before: SREM is never
-- refused, and a script is not stopped in the middle.

local gone = redis.call('SREM', KEYS[1], ARGV[1])
if gone == 1 then
  redis.call('HSET', KEYS[2], 'size', redis.call('SCARD', KEYS[1]))
end
return gone
