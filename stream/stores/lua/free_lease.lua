-- Gives a lease back, where the asker holds it.
--
-- KEYS   1: the lease
-- ARGV   1: who asks
-- result 1 where it was theirs, else 0

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
