-- Takes those with the least scores out of a sorted set, some at a time: a million at once hold Redis up for
-- more than 100 ms.
--
-- KEYS   1: a sorted set
-- ARGV   1: up to which score, as ZCOUNT takes it   2: how many at most
-- result how many are left that are to go

local below = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1])
local now = math.min(below, tonumber(ARGV[2]))
if now > 0 then
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, now - 1)
end
return below - now
