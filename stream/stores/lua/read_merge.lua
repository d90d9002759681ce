-- What is known of an id that is part of another listener, at one moment.
--
-- KEYS   1: user:{ID}   2: user:{ID}:into   3: user:{ID}:parts
-- result {[field, value, ...] of user:{ID}:into, user:{ID}:parts or ''}

return {redis.call('HGETALL', KEYS[1] .. ':into'), redis.call('GET', KEYS[1] .. ':parts') or ''}
