-- Writes a frozen day in place of what was read of it, also where Redis is full.
--
-- KEYS   1: churn:frozen
-- ARGV   1: the day   2: what was read   3: what is there from now on
-- result 1, or 0 where somebody else has written or dropped it since
--
-- A Redis that has reached maxmemory refuses HSET, but not in a script that has written before.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
