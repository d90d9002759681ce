-- Takes a lease that is free, or renews one's own.
--
-- KEYS   1: the lease
-- ARGV   1: who asks   2: milliseconds until it is free again
-- result 1 where the asker holds it now, else 0

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
