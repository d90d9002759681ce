-- Writes what clicks (or a new model) made of some listeners: each listener wholly or not at all.
--
-- KEYS   1: a key of the first; on a cluster all keys that it touches, of all of them: they are in one slot
-- ARGV   1: seconds for which event ids are remembered   2: '1': what they do is not recorded any more
--        3: msgpack, one flat array; for each listener
--             the listener
--             the revision that was read: the first 8 digits of the field `state`, '' for no such listener, or
--               'rev:N' where an earlier version wrote it
--             the new taste, or ''
--             values of the fields state, clicks and last_seen; a field for the offset, and the offset
--             a weight and an artist to set, or '' twice
--             the new activity, or ''
--             4 bytes for each song heard that the activity no longer holds, or ''
--             what is remembered of event ids from now on, or ''
--             0, or what is rarer: [[field, value, ...] to set, [artist, ...] to drop, [weight, artist, ...]
--               to set, [field, value, ...] to let wait in user:{ID}:waiting, [field, ...] that have waited,
--               [field, ...] of the record to drop]
-- result the positions (from 1) of listeners that were NOT written, because somebody else wrote since

local HEARD = 4 * 128  -- bytes: the songs that are remembered
local MOST = 4 * 240  -- with up to 15 in the activity 255 at most
local STEP = 1000  -- Lua passes at most some 8,000 arguments
local values = cmsgpack.unpack(ARGV[3])

local function in_steps(command, key, arguments)
  for first = 1, #arguments, STEP do
    redis.call(command, key, unpack(arguments, first, math.min(first + STEP - 1, #arguments)))
  end
end

local function is_read(user, revision)
  if revision:sub(1, 4) == 'rev:' then
    return redis.call('HGET', user, 'rev') == revision:sub(5)
  end
  local state = redis.call('HGET', user, 'state')
  if state then
    return state:sub(1, 8) == revision
  end
  return revision == '' and redis.call('EXISTS', user, user .. ':into') == 0
end

local function have_waited(user, fields)
  for _, field in ipairs(fields) do
    if redis.call('HEXISTS', user .. ':waiting', field) == 0 then
      return false
    end
  end
  return true
end

local function write_rest(user, revision, more)
  local fields, dropped, weights, waiting, waited, gone = unpack(more)
  in_steps('HSET', user, fields)
  in_steps('ZREM', user .. ':artists', dropped)
  in_steps('ZADD', user .. ':artists', weights)
  in_steps('HSET', user .. ':waiting', waiting)
  in_steps('HDEL', user .. ':waiting', waited)
  in_steps('HDEL', user, gone)
  if revision:sub(1, 4) == 'rev:' then
    redis.call('HDEL', user, 'rev', 'kept', 'hour')
  end
end

-- One command for both: it takes Redis less than two, and less of its append-only file.
local function set_strings(user, taste, activity)
  if taste ~= '' and activity ~= '' then
    redis.call('MSET', user .. ':taste', taste, user .. ':activity', activity)
  elseif taste ~= '' then
    redis.call('SET', user .. ':taste', taste)
  elseif activity ~= '' then
    redis.call('SET', user .. ':activity', activity)
  end
end

-- Cut only when nearly twice as much is there: it is seldom read.
local function remember_heard(heard, songs)
  if redis.call('APPEND', heard, songs) > MOST then
    redis.call('SET', heard, redis.call('GETRANGE', heard, -HEARD, -1))
  end
end

local EACH = 14
local refused = {}
for at = 1, #values, EACH do
  local user, revision, taste = 'user:{' .. values[at] .. '}', values[at + 1], values[at + 2]
  local weight, more = values[at + 8], values[at + 13]
  if is_read(user, revision) and (more == 0 or have_waited(user, more[5])) then
    set_strings(user, taste, values[at + 10])
    redis.call(
      'HSET', user, 'state', values[at + 3], 'clicks', values[at + 4], 'last_seen', values[at + 5],
      values[at + 6], values[at + 7]
    )
    if more ~= 0 then
      write_rest(user, revision, more)
    end
    if weight ~= '' then
      redis.call('ZADD', user .. ':artists', weight, values[at + 9])
    end
    if values[at + 11] ~= '' then
      remember_heard(user .. ':heard', values[at + 11])
    end
    -- What was recorded before would say that they have done nothing since; what is recorded from a later time on,
    -- that they did nothing until then.
    if ARGV[2] == '1' then
      redis.call('DEL', user .. ':activity', user .. ':heard')
      redis.call('HSET', user, 'unrecorded', values[at + 5])
    end
    if values[at + 12] ~= '' then
      redis.call('SET', user .. ':event-ids', values[at + 12], 'EX', ARGV[1])
    end
  else
    refused[#refused + 1] = (at - 1) / EACH + 1
  end
end
return refused
