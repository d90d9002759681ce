-- Writes what clicks (or a new model) made of some listeners: each listener wholly or not at all.
--
-- KEYS   for each listener: user:{ID}; the braces keep its :artists and :taste in the same slot
-- ARGV   1: msgpack [[rev, [field, value, ...], [weight, artist, ...], [artist, ...], taste or false], ...]
--           rev: the revision that was read (0: no such listener yet); fields to set; affinities to set;
--           artists to drop (before that); the new taste.
-- result the positions (from 1) of listeners that were NOT written, because somebody else wrote since `rev`.

local STEP = 1000  -- Lua passes at most some 8,000 arguments
local function in_steps(command, key, arguments)
  local done = 0
  for first = 1, #arguments, STEP do
    done = done + redis.call(command, key, unpack(arguments, first, math.min(first + STEP - 1, #arguments)))
  end
  return done
end

local refused = {}
for i, change in ipairs(cmsgpack.unpack(ARGV[1])) do
  local user, artists, taste_key = KEYS[i], KEYS[i] .. ':artists', KEYS[i] .. ':taste'
  local rev, fields, affinities, dropped, taste = unpack(change)
  local held = redis.call('HMGET', user, 'rev', 'kept')
  if tonumber(held[1] or 0) ~= rev then
    refused[#refused + 1] = i
  else
    -- Dropped first: an artist may be dropped by one click and come back by the next.
    local gone = in_steps('ZREM', artists, dropped)
    local kept = (held[2] or 0) - gone + in_steps('ZADD', artists, affinities)
    redis.call('HSET', user, 'rev', rev + 1, 'kept', kept, unpack(fields))
    if taste then
      redis.call('SET', taste_key, taste)
    end
  end
end
return refused
