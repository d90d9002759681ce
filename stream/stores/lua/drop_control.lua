-- Erases listeners from the control group of a release, with their plays: the share who played stays right.
--
-- KEYS   1: release:{R}   2: release:{R}:control   3: release:{R}:seen   4: release:{R}:counts
-- ARGV   listeners
--
-- HDEL comes first: a Redis that is full takes HINCRBY only from a script that has written before.

for _, user in ipairs(ARGV) do
  local cohort = redis.call('HGET', KEYS[2], user)
  if cohort then
    redis.call('HDEL', KEYS[2], user)
    if redis.call('HDEL', KEYS[3], user .. '}played') == 1 then
      redis.call('HINCRBY', KEYS[1], 'control_played', -1)
      redis.call('HINCRBY', KEYS[4], cohort .. ':control_played', -1)
    end
  end
end
