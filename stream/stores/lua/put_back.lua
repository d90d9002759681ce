-- Lets a click that was a dead letter be applied, unless that was done before.
--
-- KEYS   1: user:{ID}   2: user:{ID}:into   3: user:{ID}:redriven   4: user:{ID}:waiting
-- ARGV   1: msgpack [what identifies the click, its field in user:{ID}:waiting, its value there, seconds for which
--             it is remembered in user:{ID}:redriven, at least]
-- result 1 where it was not done before, else 0; 2 where the listener is part of another

local name, field, click, seconds = unpack(cmsgpack.unpack(ARGV[1]))
if redis.call('EXISTS', KEYS[1] .. ':into') == 1 then
  return 2
end
local redriven = KEYS[1] .. ':redriven'
local new = redis.call('SADD', redriven, name)
if redis.call('PTTL', redriven) < 1000 * seconds then  -- a run may keep others for longer
  redis.call('EXPIRE', redriven, seconds)
end
if new == 1 then
  redis.call('HSET', KEYS[1] .. ':waiting', field, click)
end
return new
