-- Writes the size of a cohort into the list of those that live, also where Redis is full.
--
-- KEYS   1: cohorts
-- ARGV   1: the cohort   2: its size
--
-- A Redis that has reached maxmemory refuses ZADD, but not in a script that has written before: ZREM is never
-- refused, and a script is not stopped in the middle.

redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
