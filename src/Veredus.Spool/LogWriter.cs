namespace Veredus.Spool;

/// <summary>The one writer of the log. Takes all that has gathered, writes it in one piece, syncs once, and answers everybody.</summary>
/// <remarks>
/// While a sync runs, the next group gathers; a lone caller waits for nobody. Attempts and removals are written at once but cause no sync of
/// their own until the flush interval has passed or half of the allowed removals wait. After an error that is not a full disk nothing is
/// promised any more: a sync that failed may have dropped the pages it should have written, and the next one would not tell (fsync(2)).
/// </remarks>
internal sealed class LogWriter : IDisposable
{
    private const int ScratchBytes = 256 << 10;

    private readonly SpoolOptions _options;
    private readonly SegmentPool _pool;
    private readonly SpoolTables _tables;
    private readonly TimeProvider _time;
    private readonly LargeBodies _large;
    private readonly object _queue = new();
    private readonly SemaphoreSlim _removalSlots;
    private readonly ITimer _flushTimer;
    private readonly CancellationTokenSource _faulted = new();
    private Thread? _thread;

    // Filled by callers, under _queue.
    private List<WriteRequest> _requests = [];
    private List<SideRecord> _side = [];
    private bool _flushDue, _signaled, _stopping;
    private string? _lost;

    // The writer's own.
    private List<WriteRequest> _requestsAtWork = [];
    private List<SideRecord> _sideAtWork = [];
    private readonly List<ReadOnlyMemory<byte>> _octets = [];
    private readonly List<WriteRequest> _group = [];
    private readonly List<WriteRequest> _flushes = [];
    private readonly List<SideRecord> _sideGroup = [];
    private readonly List<StoredMessage> _unsyncedRemovals = [];
    private readonly List<LargeStoredBody> _deadBodies = [];
    private readonly byte[] _scratch = new byte[ScratchBytes];
    private readonly List<SideRecord> _deferred = [];
    private int _nextRequest, _scratchUsed, _groupBytes;
    private bool _timerRuns;
    private Segment? _current;

    public LogWriter(SpoolOptions options, SegmentPool pool, SpoolTables tables, LargeBodies large, TimeProvider time)
    {
        (_options, _pool, _tables, _large, _time) = (options, pool, tables, large, time);
        _removalSlots = new(options.RemovalBacklog);
        _flushTimer = time.CreateTimer(static writer => ((LogWriter)writer!).RequestFlush(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public SpoolFault? Fault { get; private set; }

    public CancellationToken Faulted => _faulted.Token;

    /// <summary>Called, on the writer's thread, when a segment is full or a full one has lost its last message.</summary>
    public Action? SegmentChanged { get; set; }

    /// <summary>Called, on the writer's thread, when a removal is written: a process that is killed afterwards does not bring the message back.</summary>
    public Action<StoredMessage>? RemovalWritten { get; init; }

    public long Syncs { get; private set; }

    public long BytesWritten { get; private set; }

    public long Commits { get; private set; }

    public long MessagesCommitted { get; private set; }

    public long MessagesRemoved { get; private set; }

    public long Attempts { get; private set; }

    public long Updates { get; private set; }

    public long RemovalsUnsynced => _options.RemovalBacklog - _removalSlots.CurrentCount;

    public void Start()
    {
        _thread = new(() =>
        {
            while (true)
            {
                lock (_queue)
                {
                    // Not a semaphore: that spins before it sleeps, and on a busy machine takes the time from those who would give us work.
                    while (!_signaled)
                        Monitor.Wait(_queue);
                }
                while (Step())
                {
                }
                if (Volatile.Read(ref _stopping))
                    return;
            }
        })
        { IsBackground = true, Name = "spool-writer" };
        _thread.Start();
    }

    public ValueTask<CommitResult> Enqueue(WriteRequest request)
    {
        lock (_queue)
        {
            _requests.Add(request);
            if (!_signaled)
                Signal();
        }
        return request.Task;
    }

    public void Enqueue(in SideRecord record)
    {
        lock (_queue)
        {
            _side.Add(record);
            if (!_signaled)
                Signal();
        }
    }

    /// <summary>Queues an update behind those of the same message that came before, with a revision of its own.</summary>
    public ValueTask<CommitResult> EnqueueUpdate(StoredMessage message, Envelope envelope)
    {
        lock (_queue)
        {
            if (message.Revision == ushort.MaxValue)
                throw new InvalidOperationException($"Message {message.Id} has been updated {ushort.MaxValue} times; that is all a record can count.");
            return Enqueue(WriteRequest.ForUpdate(message, envelope, ++message.Revision));
        }
    }

    /// <summary>A place among the removals that may be unsynced; given back by the writer.</summary>
    public Task WaitForRemovalSlot() => _removalSlots.WaitAsync();

    /// <summary>Completes when all that was asked before is durable.</summary>
    public ValueTask<CommitResult> FlushAsync() => Enqueue(WriteRequest.ForFlush());

    /// <summary>Ends the thread after what is queued; nothing may be queued any more.</summary>
    public void Dispose()
    {
        if (_thread is not null)
        {
            lock (_queue)
            {
                _stopping = true;
                Signal();
            }
            _thread.Join();
        }
        _flushTimer.Dispose();
        _removalSlots.Dispose();
        _faulted.Dispose();
    }

    /// <summary>The segment that is being filled, or <see langword="null"/> before the first record.</summary>
    public Segment? Current => Volatile.Read(ref _current);

    /// <summary>Handles what has gathered; <see langword="false"/> if there was nothing. One thread only.</summary>
    public bool Step()
    {
        bool flush;
        string? lost;
        lock (_queue)
        {
            (_requests, _requestsAtWork) = (_requestsAtWork, _requests);
            (_side, _sideAtWork) = (_sideAtWork, _side);
            flush = _flushDue;
            _flushDue = _signaled = false;
            lost = _lost;
        }
        if (lost is not null && Fault is null)
            SetFault(lost);
        if (_requestsAtWork.Count == 0 && _sideAtWork.Count == 0 && !flush)
            return false;
        _nextRequest = 0;
        try
        {
            if (Fault is null && IsHeld())
                WriteAll(flush);
            else if (Fault is null)
                Postpone(flush);
        }
        catch (DiskException e)
        {
            SetFault(e);
        }
        for (; Fault is not null && _nextRequest < _requestsAtWork.Count; _nextRequest++)
            Refuse(_requestsAtWork[_nextRequest], null);
        _requestsAtWork.Clear();
        _sideAtWork.Clear();
        return true;
    }

    /// <summary>Whether it was proved a moment ago that the spool is still this process's.</summary>
    public Func<bool> IsHeld { get; init; } = static () => true;

    /// <summary>The spool is no longer this process's: nothing more is written.</summary>
    public void Lose(string reason)
    {
        lock (_queue)
        {
            _lost ??= reason;
            if (!_signaled)
                Signal();
        }
    }

    /// <summary>Nobody has looked for a while whether the spool is still ours (this process was frozen, the storage is slow): commits are refused; what says that mail was delivered must not get lost, and waits.</summary>
    private void Postpone(bool flush)
    {
        for (; _nextRequest < _requestsAtWork.Count; _nextRequest++)
        {
            var request = _requestsAtWork[_nextRequest];
            if (request.Kind is RequestKind.Commit)
                _tables.Disclaim(request.Messages);
            request.Complete(new(CommitStatus.Failed, [], "spool: it is not certain at this moment that the spool is still this node's"));
        }
        _deferred.AddRange(_sideAtWork);
        if (flush)
            _timerRuns = false;
        if (_timerRuns)
            return;
        _timerRuns = true;
        _flushTimer.Change(_options.FlushInterval, Timeout.InfiniteTimeSpan);
    }

    private void WriteAll(bool flush)
    {
        for (; _nextRequest < _requestsAtWork.Count; _nextRequest++)
        {
            var request = _requestsAtWork[_nextRequest];
            if (request.Kind is RequestKind.Flush)
                _flushes.Add(request);
            else if (request.Kind is RequestKind.Update && !_tables.IsLive(request.Messages[0]))
                request.Complete(new(CommitStatus.Failed, [], $"Message {request.Messages[0].Id} has been removed."));
            else if (MakeRoom(request.Bytes, forMail: request.Kind is RequestKind.Commit, out var refusal))
                AddToGroup(request);
            else
                Refuse(request, refusal);
        }
        _sideAtWork.AddRange(_deferred);
        _deferred.Clear();
        foreach (var record in _sideAtWork)
            AddToGroup(record);
        WriteGroup();
        JoinFlushes();
        if (flush)
            _timerRuns = false;
        if (_group.Count > 0 || flush || _unsyncedRemovals.Count * 2 >= _options.RemovalBacklog)
            SyncGroup();
        if (!_timerRuns && (_deferred.Count > 0 || _current is not null && _current.SyncedEnd < _current.End))
        {
            _timerRuns = true;
            _flushTimer.Change(_options.FlushInterval, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>A flush joins the group last: a full segment is synced on the way, when the attempts and removals of this step are not yet written.</summary>
    private void JoinFlushes()
    {
        if (_deferred.Count == 0)
        {
            _group.AddRange(_flushes);
        }
        else
        {
            foreach (var flush in _flushes)
                flush.Complete(new(CommitStatus.NoSpace, [], $"spool: {_deferred.Count} attempts and removals wait for room on the disk"));
        }
        _flushes.Clear();
    }

    private void AddToGroup(WriteRequest request)
    {
        _group.Add(request);
        request.Place(_current!, _current!.End + _groupBytes, _octets);
        _groupBytes += request.Bytes;
    }

    private void AddToGroup(in SideRecord record)
    {
        IRecordMeta meta = record.Type is RecordType.Attempt ? record.Attempt
            : record.Message is { } message ? new RemovalMeta(message.Body.Id, _tables.RemovalSegments(message))
            : record.Removal;
        var size = RecordHeader.Size + meta.EncodedSize;
        var total = RecordHeader.Padded(size);
        if (_scratchUsed + total > _scratch.Length)
            WriteGroup();
        if (!MakeRoom(total, forMail: false, out _))
        {
            _deferred.Add(record);  // it must not get lost: tried again with whatever comes next
            return;
        }
        var target = _scratch.AsSpan(_scratchUsed, total);
        meta.Write(target[RecordHeader.Size..]);
        target[size..].Clear();
        var offset = _current!.End + _groupBytes;
        new RecordHeader(
            _current.Number, (uint)offset / RecordHeader.Unit, record.Type, meta.EncodedSize, 0,
            Crc32C.Compute(target.Slice(RecordHeader.Size, meta.EncodedSize)), 0, (uint)_current.SyncedEnd / RecordHeader.Unit, record.Id.Value).Write(target);
        _scratchUsed += total;
        _groupBytes += total;
        _sideGroup.Add(record);
        if (meta is RemovalMeta removal)
            _current.RemovalTargets.UnionWith(removal.Segments);
        else
            _current.AttemptRecords++;
    }

    /// <summary>Sees to it that <paramref name="bytes"/> more fit behind the group; a full segment is finished first.</summary>
    private bool MakeRoom(int bytes, bool forMail, out DiskException? refusal)
    {
        refusal = null;
        if (_current is not null && bytes <= _current.Room - _groupBytes)
            return true;
        if (_current is not null)
        {
            WriteGroup();
            SyncGroup();
        }
        try
        {
            var next = _pool.Take(bytes, forMail, _tables.LastSlot, _current);
            Seal();
            _tables.AddSegment(next);
            Volatile.Write(ref _current, next);
            return true;
        }
        catch (DiskException e) when (e.Error is DiskError.NoSpace)
        {
            refusal = e;
            return false;
        }
    }

    private void WriteGroup()
    {
        if (_groupBytes == 0)
            return;
        if (_scratchUsed > 0)
            _octets.Add(_scratch.AsMemory(0, _scratchUsed));
        try
        {
            _current!.File.Write(_octets, _current.End);
            _current.End += _groupBytes;
            BytesWritten += _groupBytes;
            NoteSide();
        }
        catch (DiskException e) when (e.Error is DiskError.NoSpace)
        {
            Abandon(e);
        }
        _octets.Clear();
        _sideGroup.Clear();
        _scratchUsed = _groupBytes = 0;
    }

    private void NoteSide()
    {
        foreach (var record in _sideGroup)
        {
            if (record.Type is RecordType.Attempt)
                Attempts++;
            else if (record.Message is { } message)
            {
                _unsyncedRemovals.Add(message);
                RemovalWritten?.Invoke(message);
            }
        }
    }

    /// <summary>The disk filled up in the middle of a group. What of it got there must never count: zeros take its place before anything else is written.</summary>
    private void Abandon(DiskException error)
    {
        try
        {
            _current!.File.Write(new byte[_groupBytes], _current.End);
            _current.File.Sync();
        }
        catch (DiskException e)
        {
            throw new DiskException(DiskError.Failed, e.Message, e);
        }
        RefuseGroup(error);
        _deferred.AddRange(_sideGroup);
    }

    private void Seal()
    {
        if (_current is not { } full)
            return;
        (full.SealedAt, full.Sealed) = (_time.GetTimestamp(), true);
        Volatile.Write(ref _current, null);
        SegmentChanged?.Invoke();
    }

    private void SyncGroup()
    {
        if (_current is not null && _current.SyncedEnd < _current.End)
        {
            if (_options.Sync)
                _current.File.Sync();
            _current.SyncedEnd = _current.End;
            Syncs++;
        }
        if (_group.Count > 0 && !IsHeld())
        {
            // Frozen in the middle of it: whoever has taken the spool since may not have seen these records, so they were never promised.
            foreach (var request in _group)
            {
                request.File?.Keep();
                if (request.Kind is RequestKind.Commit)
                    _tables.Disclaim(request.Messages);
                request.Complete(new(CommitStatus.Failed, [], "spool: it is not certain that the spool was still this node's when this was written"));
            }
            _group.Clear();
        }
        _tables.Publish(_group);
        EndRemovals();
        foreach (var request in _group)
        {
            if (request.Kind is RequestKind.Commit)
            {
                request.File?.Keep();
                Commits++;
                MessagesCommitted += request.Messages.Length;
            }
            else if (request.Kind is RequestKind.Update)
            {
                Updates++;
            }
            request.Complete(new(CommitStatus.Durable, request.Messages, null));
        }
        _group.Clear();
    }

    private void EndRemovals()
    {
        if (_unsyncedRemovals.Count == 0)
            return;
        var emptied = _tables.EndRemovals(_unsyncedRemovals, _deadBodies);
        MessagesRemoved += _unsyncedRemovals.Count;
        _removalSlots.Release(_unsyncedRemovals.Count);
        _unsyncedRemovals.Clear();
        _large.Delete(_deadBodies);
        _deadBodies.Clear();
        if (emptied)
            SegmentChanged?.Invoke();
    }

    /// <summary>Refuses what may have been written in part: should it be found at the next start, its large bodies must be there; if not, they are orphans.</summary>
    private void RefuseGroup(DiskException? error)
    {
        foreach (var request in _group)
        {
            request.File?.Keep();
            Refuse(request, error);
        }
        _group.Clear();
    }

    private void Refuse(WriteRequest request, DiskException? error)
    {
        if (request.Kind is RequestKind.Commit)
            _tables.Disclaim(request.Messages);
        request.Complete(new(error?.Error is DiskError.NoSpace ? CommitStatus.NoSpace : CommitStatus.Failed, [], error?.Message ?? Fault!.Message));
    }

    private void SetFault(DiskException e) => SetFault($"spool: {e.Message} Nothing more is accepted or delivered until a restart.", e);

    private void SetFault(string message, Exception? cause = null)
    {
        Fault = new(message, cause);
        _octets.Clear();
        _removalSlots.Release(int.MaxValue / 2);  // whoever waits to remove goes on; nothing will be recorded
        _faulted.Cancel();
        _group.AddRange(_flushes);
        _flushes.Clear();
        RefuseGroup(null);
    }

    private void RequestFlush()
    {
        lock (_queue)
        {
            _flushDue = true;
            if (!_signaled)
                Signal();
        }
    }

    private void Signal()
    {
        _signaled = true;
        Monitor.Pulse(_queue);
    }
}
