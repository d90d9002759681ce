-- Lets clicks wait no longer, all at once; one that was applied meanwhile is left alone.
--
-- KEYS   1: user:{ID}:waiting
-- ARGV   1: what goes before the field of one that has waited for too long
--        2...: fields
-- result how many wait no longer

local expired = 0
for at = 2, #ARGV do
  local click = redis.call('HGET', KEYS[1], ARGV[at])
  if click then
    redis.call('HDEL', KEYS[1], ARGV[at])
    redis.call('HSET', KEYS[1], ARGV[1] .. ARGV[at], click)
    expired = expired + 1
  end
end
return expired
