-- Fixes the pages of a release before the first is emitted, so that they never differ.
--
-- KEYS   1: release:{R}   2: release:{R}:pages   3: release:{R}:cohorts   4: release:{R}:told
-- ARGV   1: who asks   2: msgpack [[field, value, ...], [page, ...], [play rate, cohort, ...], [user, cohort, ...]]
-- result 1, or 0 where the release is no longer in the asker's hand, or has pages already

local STEP = 1000
local function in_steps(command, key, arguments)
  for first = 1, #arguments, STEP do
    redis.call(command, key, unpack(arguments, first, math.min(first + STEP - 1, #arguments)))
  end
end

local by, state = unpack(redis.call('HMGET', KEYS[1], 'by', 'state'))
if by ~= ARGV[1] or state ~= 'new' then
  return 0
end
local fields, pages, cohorts, told = unpack(cmsgpack.unpack(ARGV[2]))
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('HSET', KEYS[1], 'state', 'planned', unpack(fields))
in_steps('RPUSH', KEYS[2], pages)
in_steps('ZADD', KEYS[3], cohorts)
in_steps('HSET', KEYS[4], told)
return 1
