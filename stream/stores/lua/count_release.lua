-- Counts what listeners did when told of a release, each kind once a listener.
--
-- KEYS   1: release:{R}   2: release:{R}:told   3: release:{R}:seen   4: release:{R}:counts
-- ARGV   1: msgpack [[user, kind, place], ...]; place: where the event stands in Kafka
-- result for each event the cohort to count it for, or '' (told nothing of, or counted before)
--
-- An event that is delivered again is known by its place: its cohort is named again, as it is not known whether
-- the cohort's own count followed.

local result = {}
for i, event in ipairs(cmsgpack.unpack(ARGV[1])) do
  local user, kind, place = unpack(event)
  local cohort = redis.call('HGET', KEYS[2], user)
  local field = user .. '}' .. kind
  local seen = redis.call('HGET', KEYS[3], field)
  if not cohort or (seen and seen ~= place) then
    result[i] = ''
  else
    result[i] = cohort
    if not seen then
      redis.call('HSET', KEYS[3], field, place)
      redis.call('HINCRBY', KEYS[1], kind, 1)
      redis.call('HINCRBY', KEYS[4], cohort .. ':' .. kind, 1)
    end
  end
end
local sent, clicked = unpack(redis.call('HMGET', KEYS[1], 'sent', 'clicked'))
if tonumber(sent or 0) > 0 then
  redis.call('HSET', KEYS[1], 'ctr', tonumber(clicked or 0) / tonumber(sent))
end
return result
