-- Lets a key be there for so long from now on, or for as long as it is there anyway.
--
-- KEYS   1: the key
-- ARGV   1: milliseconds

if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
