-- Makes an id a listener of its own again, as it was before it became part of another.
--
-- KEYS   1: user:{ID}   2...: all else that it touches
-- ARGV   1: the merge's token   2: the new revision, 8 hexadecimal digits   3: msgpack [field, value, ...] of the
--        record to set: how far its clicks are applied by now   4: seconds for which event ids are remembered
-- result 1, or 0 where it is one already

local user, STEP = KEYS[1], 1000
if redis.call('HGET', user .. ':into', 'token') ~= ARGV[1] then
  return 0
end
local listener, heard, _, _, _, event_ids = unpack(cmsgpack.unpack(redis.call('GET', user .. ':parts')))
local function in_steps(command, key, arguments)
  for first = 1, #arguments, STEP do
    redis.call(command, key, unpack(arguments, first, math.min(first + STEP - 1, #arguments)))
  end
end
if event_ids and event_ids ~= '' then  -- else an earlier version packed it, or there are none
  redis.call('SET', user .. ':event-ids', event_ids, 'EX', ARGV[4])
end
if #listener > 0 then
  local fields, weights, taste, activity = unpack(listener)
  in_steps('HSET', user, fields)
  in_steps('HSET', user, cmsgpack.unpack(ARGV[3]))
  local state = redis.call('HGET', user, 'state')
  if state then  -- else an earlier version wrote it
    redis.call('HSET', user, 'state', ARGV[2] .. state:sub(9))
  end
  for at = 1, #weights, 2 do
    redis.call('ZADD', user .. ':artists', weights[at + 1], weights[at])
  end
  for part, value in pairs({[':taste'] = taste, [':activity'] = activity, [':heard'] = heard}) do
    if value ~= '' then
      redis.call('SET', user .. part, value)
    end
  end
end
local offsets = cmsgpack.unpack(ARGV[3])
if #listener == 0 and #offsets > 0 then  -- nobody knew it; all it did was done as part of the other
  redis.call(
    'HSET', user, 'state', ARGV[2] .. string.rep('0', 16), 'cohort', '', 'cohort_since', '0.0', 'moved', ' ',
    'clicks', '0', 'last_seen', '-inf', unpack(offsets)
  )
end
local merge_id = redis.call('HGET', user .. ':into', 'merge_id')
if merge_id ~= '' then
  redis.call('SADD', user .. ':undone', merge_id)
end
redis.call('DEL', user .. ':into', user .. ':parts')
return 1
