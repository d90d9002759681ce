-- Makes an id part of another listener: from then on no write takes it for a listener of its own.
--
-- KEYS   1: user:{ID}   2...: all else that it touches
-- ARGV   1: the other   2: a name that no other merge has   3: merge_id, or ''   4: when, Unix seconds
-- result 1; 0 where it is part of a listener already
--
-- What is there of it is packed into user:{ID}:parts: [what read_listeners.lua says, songs heard, [field, value, ...]
-- of user:{ID}:waiting, [dead letter put back, ...], milliseconds for which these are remembered, event ids]

local user = KEYS[1]
if redis.call('EXISTS', user .. ':into') == 1 then
  return 0
end
local fields = redis.call('HGETALL', user)
local listener = {}
if #fields > 0 then
  listener = {
    fields,
    redis.call('ZRANGE', user .. ':artists', 0, -1, 'WITHSCORES'),
    redis.call('GET', user .. ':taste') or '',
    redis.call('GET', user .. ':activity') or '',
  }
end
redis.call('SET', user .. ':parts', cmsgpack.pack({
  listener,
  redis.call('GET', user .. ':heard') or '',
  redis.call('HGETALL', user .. ':waiting'),
  redis.call('SMEMBERS', user .. ':redriven'),
  redis.call('PTTL', user .. ':redriven'),
  redis.call('GET', user .. ':event-ids') or '',
}))
redis.call('HSET', user .. ':into', 'into', ARGV[1], 'token', ARGV[2], 'merge_id', ARGV[3], 'at', ARGV[4])
for _, part in ipairs({'', ':artists', ':taste', ':activity', ':heard', ':waiting', ':redriven', ':event-ids', ':traits'}) do
  redis.call('DEL', user .. part)
end
return 1
