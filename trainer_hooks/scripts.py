"""What the hooks do in Redis, each as one atomic script (Redis 6.2)."""

#: Reserve bytes for a frame on the volatile Redis, or refuse when the run's budget is used up.
#: KEYS outstanding, counter · ARGV frame id, bytes, time to live s, budget bytes
#: Returns {1 or 0, outstanding bytes}. Asking again for the same frame changes nothing.
RESERVE = """
local now = redis.call('TIME')[1]
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('DECRBY', KEYS[2], string.match(member, '|(%d+)$'))
end
local used = tonumber(redis.call('GET', KEYS[2]) or '0')
local member = ARGV[1] .. '|' .. ARGV[2]
if redis.call('ZSCORE', KEYS[1], member) then return {1, used} end
if used > 0 and used + tonumber(ARGV[2]) > tonumber(ARGV[4]) then return {0, used} end
redis.call('ZADD', KEYS[1], now + ARGV[3], member)
used = redis.call('INCRBY', KEYS[2], ARGV[2])
-- No reservation outlives the newest: where its run is gone, neither do these.
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return {1, used}
"""

#: Register one trainer process as a segment of a run.
#: KEYS meta, segments · ARGV segment, resume (0 no, 1 unless a newer segment is there, 2 anyway),
#:   description JSON with its age in seconds, run, config JSON, tags JSON
#: Returns 'ok' or 'taken'. Registering the same segment again changes nothing.
REGISTER = """
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 'ok' end
local exists = redis.call('EXISTS', KEYS[1])
if exists == 1 and ARGV[2] == '0' then return 'taken' end
local clock = redis.call('TIME')
local now = clock[1] .. '.' .. string.format('%06d', clock[2])
local about = cjson.decode(ARGV[3])
local started = tonumber(now) - about['age']
about['age'] = nil
if ARGV[2] == '1' then
  for _, other in ipairs(redis.call('HVALS', KEYS[2])) do
    if cjson.decode(other).started > started then return 'taken' end
  end
end
about['ordinal'] = redis.call('HLEN', KEYS[2])
about['started'] = started
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode(about))
if exists == 0 then
  redis.call('HSET', KEYS[1], 'id', ARGV[4], 'started', string.format('%.6f', started))
end
redis.call('HSET', KEYS[1], 'config', ARGV[5], 'tags', ARGV[6], 'heartbeat', now,
  'segment', ARGV[1])
redis.call('HDEL', KEYS[1], 'finished', 'crash', 'crashed', 'pushed:weights', 'pushed:samples')
return 'ok'
"""

# A member is a rank other than 0: it brings jobs and tells its losses, all else is rank 0's.
_MEMBER = """
local function is_member(members)
  return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HEXISTS', members, ARGV[1]) == 1
end
"""

#: Post a job whose frame lies on the volatile Redis. What comes late of an older process says
#: nothing of how far the run is.
#: KEYS segments, job stream, meta, rows, members
#: ARGV segment, kind, last row, last step, n, then n fields
#: Returns {'ok' or 'unknown', sample batches done}.
POST = f"""{_MEMBER}
local member = is_member(KEYS[5])
if not member and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return {{'unknown'}} end
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 6, 5 + tonumber(ARGV[5])))
if member then return {{'ok', '0'}} end
if redis.call('HGET', KEYS[3], 'segment') == ARGV[1] then
  local clock = redis.call('TIME')
  redis.call('HSET', KEYS[3], 'pushed:' .. ARGV[2], ARGV[3], 'pushed_step:' .. ARGV[2], ARGV[4],
    'heartbeat', clock[1] .. '.' .. string.format('%06d', clock[2]))
end
return {{'ok', redis.call('HGET', KEYS[4], ARGV[1] .. ':samples') or '0'}}
"""

#: Say that the trainer lives (or that it ended), what it lost and where its checkpoints lie; ask
#: what it should know.
#: KEYS segments, meta, alerts, rows, members, control
#: ARGV segment, drops JSON, networks JSON, finished (0/1), checkpoints JSON ('' leaves it), error
#:   that ended it ('' for none)
#: Returns {'ok' or 'unknown', sample batches done, {alert...}, whether to stop (0/1)}. A member is
#: never told to stop: ranks that stop at different steps would wait for each other for ever.
HEARTBEAT = f"""{_MEMBER}
if is_member(KEYS[5]) then
  redis.call('HSET', KEYS[2], 'drops:' .. ARGV[1], ARGV[2], 'networks:' .. ARGV[1], ARGV[3])
  return {{'ok', '0', redis.call('HVALS', KEYS[3]), 0}}
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return {{'unknown'}} end
local clock = redis.call('TIME')
local now = clock[1] .. '.' .. string.format('%06d', clock[2])
redis.call('HSET', KEYS[2], 'drops:' .. ARGV[1], ARGV[2])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], 'checkpoints:' .. ARGV[1], ARGV[5]) end
if redis.call('HGET', KEYS[2], 'segment') == ARGV[1] then
  redis.call('HSET', KEYS[2], 'heartbeat', now)
  if ARGV[3] ~= '{{}}' then redis.call('HSET', KEYS[2], 'networks', ARGV[3]) end
  if ARGV[4] == '1' then redis.call('HSET', KEYS[2], 'finished', now)
  else redis.call('HDEL', KEYS[2], 'finished') end
  if ARGV[6] == '' then redis.call('HDEL', KEYS[2], 'crash', 'crashed')
  else
    redis.call('HSET', KEYS[2], 'crash', ARGV[6])
    redis.call('HSETNX', KEYS[2], 'crashed', now)
  end
end
local stop = redis.call('HGET', KEYS[6], 'stop.segment') == ARGV[1] and 1 or 0
if stop == 1 then redis.call('HSETNX', KEYS[6], 'stop.told', now) end
return {{'ok', redis.call('HGET', KEYS[4], ARGV[1] .. ':samples') or '0',
  redis.call('HVALS', KEYS[3]), stop}}
"""
