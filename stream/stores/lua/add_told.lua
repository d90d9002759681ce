-- Notes some listeners of a page that is fixed: their feedback counts for the cohort of the page.
--
-- KEYS   1: release:{R}   2: release:{R}:told
-- ARGV   1: who asks   2: the cohort   3...: listeners
-- result 1, or 0 where the release is in the asker's hand no longer

if redis.call('HGET', KEYS[1], 'by') ~= ARGV[1] then
  return 0
end
local told = {}
for at = 3, #ARGV do
  told[#told + 1] = ARGV[at]
  told[#told + 1] = ARGV[2]
end
redis.call('HSET', KEYS[2], unpack(told))
return 1
