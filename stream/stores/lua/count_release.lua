-- Counts what listeners did when told of a release, each kind once a listener.
--
-- KEYS   1: release:{R}   2: release:{R}:told   3: release:{R}:seen   4: release:{R}:counts
--        5: release:{R}:control   6: release:{R}:parts   7: release:{R}:part-counts
-- ARGV   1: msgpack [[user, kind, place, cohort], ...]; place: where the event stands in Kafka; cohort: of whom
--        we did not tell, but others before us did; else ""
--        2: sent, from which on a CTR is shown
-- result for each event [cohort, kind, ...]: what to count it for; [] (told nothing of, or counted before)
--
-- Who did anything but play has been sent something, so a sent counts that was not reported ("!" before its
-- place): no cohort has more clicks than it was sent. Who plays may have found the song without us.
-- An event that is delivered again is known by its place: its cohort is named again, as it is not known whether
-- the cohort's own count followed.

local IMPLIES_NOTHING = {sent = true, not_sent = true, played = true}

local wave, ab_policy = unpack(redis.call('HMGET', KEYS[1], 'wave', 'ab_policy'))
-- Of a listener who is in none: the first wave, the usual policy.
local first_part = (wave and '1' or '') .. (wave and ab_policy and ' ' or '') .. (ab_policy and 'usual' or '')

local function count(user, cohort, kind, place, implied)
  local field = user .. '}' .. kind
  local seen = redis.call('HGET', KEYS[3], field)
  if not seen then
    redis.call('HSET', KEYS[3], field, (implied and '!' or '') .. place)
    redis.call('HINCRBY', KEYS[1], kind, 1)
    redis.call('HINCRBY', KEYS[4], cohort .. ':' .. kind, 1)
    if first_part ~= '' then
      redis.call('HINCRBY', KEYS[7], (redis.call('HGET', KEYS[6], user) or first_part) .. ':' .. kind, 1)
    end
    if implied then
      redis.call('HINCRBY', KEYS[1], 'sent_implied', 1)
    end
    return true
  end
  if not implied and kind == 'sent' and seen:sub(1, 1) == '!' then  -- reported after all
    redis.call('HSET', KEYS[3], field, seen:sub(2))
    redis.call('HINCRBY', KEYS[1], 'sent_implied', -1)
    return false
  end
  return seen == place or seen == '!' .. place
end

local result = {}
for i, event in ipairs(cmsgpack.unpack(ARGV[1])) do
  local user, kind, place, elsewhere = unpack(event)
  local cohort = redis.call('HGET', KEYS[2], user) or (elsewhere ~= '' and elsewhere)
  local found = {}
  if cohort then
    if not IMPLIES_NOTHING[kind] and count(user, cohort, 'sent', place, true) then
      found = {cohort, 'sent'}
    end
    if count(user, cohort, kind, place, false) then
      found[1] = cohort
      found[#found + 1] = kind
    end
  elseif kind == 'played' then
    local control = redis.call('HGET', KEYS[5], user)
    if control and redis.call('HSETNX', KEYS[3], user .. '}played', place) == 1 then
      redis.call('HINCRBY', KEYS[1], 'control_played', 1)
      redis.call('HINCRBY', KEYS[4], control .. ':control_played', 1)
    end
  end
  result[i] = found
end
local sent, clicked = unpack(redis.call('HMGET', KEYS[1], 'sent', 'clicked'))
if tonumber(sent or 0) >= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'ctr', tonumber(clicked or 0) / tonumber(sent))
end
return result
