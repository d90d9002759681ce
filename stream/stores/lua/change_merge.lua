-- Changes what is known of an id that is part of another listener, where it is still the same merge.
--
-- KEYS   1: user:{ID}   2: user:{ID}:into   3: user:{ID}:parts
-- ARGV   1: the merge's token   2: milliseconds that its parts are kept from now on; 0: they are not; '': for as
--        long as it takes, and they must be there; 'as is'   3...: field, value, ... for user:{ID}:into
-- result 1, or 0 where nothing was changed

local into, parts = KEYS[1] .. ':into', KEYS[1] .. ':parts'
if redis.call('HGET', into, 'token') ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  if redis.call('EXISTS', parts) == 0 then
    return 0
  end
  redis.call('PERSIST', parts)
elseif ARGV[2] == '0' then
  redis.call('DEL', parts)
elseif ARGV[2] ~= 'as is' then
  redis.call('PEXPIRE', parts, ARGV[2])
end
redis.call('HSET', into, unpack(ARGV, 3))
return 1
