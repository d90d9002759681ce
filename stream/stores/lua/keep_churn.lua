-- Writes what was learned of churn, unless somebody else has learned meanwhile.
--
-- KEYS   1: churn:model
-- ARGV   1: the version that was gone on from; 0: there was none   2, 3, ...: field, value
-- result 1, or 0 where another version is there

if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
