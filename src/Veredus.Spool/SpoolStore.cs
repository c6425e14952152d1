using System.Runtime.CompilerServices;

namespace Veredus.Spool;

/// <summary>The spool on a disk: an append-only log of segments. Layout, formats and the reasons: docs/decisions/0030-spool-layout.md.</summary>
public sealed class SpoolStore : ISpool
{
    private readonly SpoolOptions _options;
    private readonly IDisk _disk;
    private readonly TimeProvider _time;
    private readonly SpoolLock _lock;
    private readonly SegmentPool _pool;
    private readonly SpoolTables _tables = new();
    private readonly LargeBodies _large;
    private readonly LogWriter _writer;
    private readonly Quarantine _quarantine;
    private readonly SpoolRecovery _recovery;
    private readonly Compactor _compactor;
    private readonly HandOverMarks? _marks;
    private readonly ulong _epoch;
    private uint _lastBody;
    private long _spaceLookedAt;
    private DiskSpace _space;
    private bool _closed;

    private SpoolStore(SpoolOptions options, IDisk disk, TimeProvider time, SpoolLock spoolLock, Guid id, bool ownThreads)
    {
        (_options, _disk, _time, _lock, Id) = (options, disk, time, spoolLock, id);
        _quarantine = new(disk, Path.Combine(options.Base, SpoolFormat.Corrupt), options.Notice);
        var found = FoundSegments.Read(disk, options.Base, id, _quarantine, repair: true);
        _epoch = (ulong)found.NextNumber << 32;
        _pool = new(disk, Path.Combine(options.Base, SpoolFormat.Segments), options.SegmentBytes, id, found.NextNumber);
        foreach (var (file, path, size) in found.Free)
            _pool.AddFree(file, path, size);
        _tables.NoteSlot(found.LastSlot);
        foreach (var segment in found.Used)
            _tables.AddSegment(segment.Segment);
        _large = new(disk, Path.Combine(options.Base, SpoolFormat.Large), found.NextNumber);
        _marks = HandOverMarks.Open(disk, options.Base, options.Notice);
        _writer = new(options, _pool, _tables, _large, time) { IsHeld = () => ProofLimit is not { } limit || _lock.IsProved(limit), RemovalWritten = message => _marks?.End(message.Id) };
        _recovery = new(disk, _tables, _large, _quarantine, found);
        _compactor = new(options, disk, _pool, _tables, _writer, _quarantine, time);
        _pool.Prepare();
        if (ownThreads)
        {
            _writer.Start();
            _compactor.Start();
        }
    }

    /// <summary>Identity of this spool, for as long as it exists.</summary>
    public Guid Id { get; }

    /// <summary>The node whose messages these are: the one that last held the lock, not one that only imports.</summary>
    internal string Owner => _lock.OwnerBefore;

    public uint LastSlot => _tables.LastSlot;

    public SpoolFault? Fault => _writer.Fault;

    public CancellationToken Faulted => _writer.Faulted;

    public SpoolStatistics Statistics
    {
        get
        {
            var (segments, live) = _tables.Sizes();
            return new()
            {
                Messages = _tables.Count,
                Commits = _writer.Commits,
                MessagesCommitted = _writer.MessagesCommitted,
                MessagesRemoved = _writer.MessagesRemoved,
                Attempts = _writer.Attempts,
                Updates = _writer.Updates,
                Syncs = _writer.Syncs,
                BytesWritten = _writer.BytesWritten,
                RemovalsUnsynced = Fault is null ? _writer.RemovalsUnsynced : 0,
                Segments = segments,
                FreeSegments = _pool.FreeCount,
                LiveBytes = live,
                SegmentsCompacted = _compactor.SegmentsCompacted,
                BytesCompacted = _compactor.BytesCompacted,
                Corruptions = _quarantine.Count,
            };
        }
    }

    internal LogWriter Writer => _writer;

    internal IDisk Disk => _disk;

    /// <summary>The messages of this moment.</summary>
    internal List<StoredMessage> Snapshot() => _tables.Snapshot();

    internal Compactor Compactor => _compactor;

    /// <summary>Opens the spool at <see cref="SpoolOptions.Base"/>, or makes one in an empty directory, and takes its lock until disposed.</summary>
    /// <remarks>Returns soon, however much the spool holds: <see cref="RecoverAsync"/> reads it.</remarks>
    /// <exception cref="SpoolOpenException">Locked, foreign, newer or unusable; the message says what to do.</exception>
    public static ValueTask<SpoolStore> OpenAsync(SpoolOptions options, TimeProvider time) => OpenAsync(options, new LinuxDisk(options.FileMode), time);

    /// <inheritdoc cref="OpenAsync(SpoolOptions, TimeProvider)"/>
    public static async ValueTask<SpoolStore> OpenAsync(SpoolOptions options, IDisk disk, TimeProvider time) =>
        await Task.Run(() => Open(options, disk, time, ownThreads: true));

    internal static SpoolStore Open(SpoolOptions options, IDisk disk, TimeProvider time, bool ownThreads, bool isImport = false)
    {
        options.Validate();
        try
        {
            SpoolFormat.Check(disk, options.Base);
            disk.CreateDirectory(options.Base);
            var spoolLock = SpoolLock.Take(disk, options.Base, options.NodeName, options.Instance, options.TakeOver, time, isImport);
            try
            {
                return new(options, disk, time, spoolLock, SpoolFormat.OpenOrCreate(disk, options.Base), ownThreads);
            }
            catch
            {
                spoolLock.Dispose();
                throw;
            }
        }
        catch (DiskException e)
        {
            throw new SpoolOpenException($"spool: cannot open '{options.Base}': {e.Message}", e);
        }
    }

    /// <summary>How long what was proved last counts: afterwards nothing is promised or given out until <see cref="RenewLock"/> proves it anew. Endless before <see cref="Guard"/>.</summary>
    public TimeSpan? ProofLimit { get; private set; }

    public bool IsHeld => Fault is null && (ProofLimit is not { } limit || _lock.IsProved(limit));

    /// <summary>From now on the spool counts as ours only while <see cref="RenewLock"/> has proved it within <paramref name="limit"/>.</summary>
    public void Guard(TimeSpan limit) => ProofLimit = limit;

    /// <summary>Looks whether the spool is still this process's and says that its owner lives; every 5 s. Blocks.</summary>
    /// <exception cref="SpoolTakenException">Another node has taken it: nothing more is accepted or delivered.</exception>
    /// <exception cref="DiskException">The storage does not answer: if that goes on, stop.</exception>
    public void RenewLock()
    {
        try
        {
            _lock.Renew();
        }
        catch (SpoolTakenException taken)
        {
            _writer.Lose(taken.Message);
            throw;
        }
    }

    /// <summary>Gives the spool up: nothing more is accepted or delivered. For storage that no longer answers.</summary>
    public void Lose(string reason) => _writer.Lose(reason);

    /// <summary>Who holds the spool at a place, as its record says; <see langword="null"/>: there is no record.</summary>
    /// <exception cref="DiskException">It cannot be read.</exception>
    /// <exception cref="SpoolFormatException">The spool is of another format.</exception>
    public static SpoolOwner? OwnerOf(string spoolBase)
    {
        var disk = new LinuxDisk(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        SpoolFormat.TryRead(disk, spoolBase);
        return SpoolLock.Read(disk, spoolBase);
    }

    public SpoolBody CreateBody() => new(_options.LargeMessageThreshold, _large.Create);

    public ValueTask<CommitResult> CommitAsync(SpoolBody body, IReadOnlyList<Envelope> envelopes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(envelopes.Count, nameof(envelopes));
        return body.File is not null && body.Error is null ? CommitLargeAsync(body, envelopes) : CommitFinished(body, envelopes);
    }

    private async ValueTask<CommitResult> CommitLargeAsync(SpoolBody body, IReadOnlyList<Envelope> envelopes)
    {
        await Task.Run(() => body.FinishFile(_options.Sync));
        return await CommitFinished(body, envelopes);
    }

    /// <summary>Commits a body whose file, if it has one, is complete.</summary>
    internal ValueTask<CommitResult> CommitFinished(SpoolBody body, IReadOnlyList<Envelope> envelopes)
    {
        if (body.Error is { } error)
            return new(new CommitResult(error.Error is DiskError.NoSpace ? CommitStatus.NoSpace : CommitStatus.Failed, [], error.Message));
        if (Refusal() is { } refusal)
            return new(refusal);
        var stored = NewBody(body);
        var messages = new StoredMessage[envelopes.Count];
        for (var i = 0; i < messages.Length; i++)
            messages[i] = new(envelopes[i].Id, stored, EnvelopeCodec.ToMicroseconds(envelopes[i].Received));
        var request = WriteRequest.ForCommit(body, stored, messages, envelopes);
        if (_tables.TryClaim(messages, out var taken))
            return _writer.Enqueue(request);
        request.Abort();
        throw new ArgumentException($"Message {taken} exists in this spool already; draw a new ID.", nameof(envelopes));
    }

    public Envelope ReadEnvelope(StoredMessage message)
    {
        var (segment, offset, length) = _tables.PinEnvelope(message);
        try
        {
            return RecordReader.ReadEnvelope(segment, offset, length, message.Id);
        }
        catch (SpoolCorruptException e)
        {
            _quarantine.SetAside(segment, offset, length, e.Message);
            throw;
        }
        finally
        {
            Unpin(segment);
        }
    }

    public SpoolBodyReader OpenBody(StoredMessage message)
    {
        var (segment, offset, length) = _tables.PinBody(message);
        try
        {
            var location = RecordReader.ReadBodyHead(segment, offset, message.Body, _large);
            var file = message.Body is LargeStoredBody large ? _large.Open(large.FileNumber) : null;
            return new(location, file, reader => Unpin(reader.Segment), reason => _quarantine.SetAside(segment, offset, length, reason));
        }
        catch (SpoolCorruptException e)
        {
            _quarantine.SetAside(segment, offset, length, e.Message);
            Unpin(segment);
            throw;
        }
        catch
        {
            Unpin(segment);
            throw;
        }
    }

    public void RecordAttempt(StoredMessage message, AttemptRecord attempt)
    {
        if (_tables.RecordAttempt(message, attempt))
            _writer.Enqueue(new SideRecord(RecordType.Attempt, message.Id, null, AttemptMeta.Of(message), default));
    }

    public ValueTask RemoveAsync(StoredMessage message)
    {
        if (!_tables.BeginRemoval(message))
            return default;
        var slot = _writer.WaitForRemovalSlot();
        if (!slot.IsCompletedSuccessfully)
            return new(RemoveLaterAsync(slot, message));
        _writer.Enqueue(new SideRecord(RecordType.Removal, message.Id, message, default, default));
        return default;
    }

    public void BeginHandOver(StoredMessage message) => _marks?.Begin(message.Id, _time.GetUtcNow().ToUnixTimeMilliseconds());

    public void EndHandOver(StoredMessage message) => _marks?.End(message.Id);

    public async ValueTask<bool> UpdateAsync(StoredMessage message, Envelope envelope)
    {
        if (envelope.Id != message.Id)
            throw new ArgumentException($"The envelope is of {envelope.Id}, the message is {message.Id}: an update keeps the ID.", nameof(envelope));
        if (Refusal() is not null || !_tables.IsLive(message))
            return false;
        return (await _writer.EnqueueUpdate(message, envelope)).Status is CommitStatus.Durable;
    }

    /// <summary>Completes when all removals and attempts so far are durable; <see langword="false"/> if the disk refused.</summary>
    public async ValueTask<bool> FlushAsync() => Refusal() is null && (await _writer.FlushAsync()).Status is CommitStatus.Durable;

    public async IAsyncEnumerable<RecoveredMessage> RecoverAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.Run(() => _recovery.Load(repair: true), cancellationToken);
        _marks?.Sweep(id => _tables.Find(id) is not null);
        foreach (var found in _recovery.Announce(ReadEnvelope))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return _marks?.Since(found.Message.Id) is { } since ? found with { InDoubtSince = DateTimeOffset.FromUnixTimeMilliseconds(since) } : found;
        }
        _compactor.Enable();
    }

    public bool TryFind(MessageId id, out StoredMessage message) => (message = _tables.Find(id)!) is not null;

    public bool HasRoomFor(long bytes)
    {
        var now = _time.GetTimestamp();
        if (_spaceLookedAt == 0 || _time.GetElapsedTime(_spaceLookedAt, now) >= TimeSpan.FromSeconds(1))
        {
            _space = _disk.GetSpace(_options.Base);
            _spaceLookedAt = now;
        }
        var free = _space.FreeBytes + (long)_pool.FreeCount * _options.SegmentBytes;
        return free >= Math.Max(_space.TotalBytes * _options.MinFreeShare, bytes);
    }

    /// <summary>Brings everything to the disk and gives the lock free. Callers have stopped.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_closed)
            return;
        if (Fault is null)
            await _writer.FlushAsync();
        _closed = true;
        await _compactor.StopAsync();
        _writer.Dispose();
        if (Fault is null)
            _compactor.IndexLast();
        _tables.CloseSegments();
        _marks?.Dispose();
        _pool.Dispose();
        _lock.Dispose();
    }

    private StoredBody NewBody(SpoolBody body)
    {
        var id = _epoch | Interlocked.Increment(ref _lastBody);
        return body.File is { } file ? new LargeStoredBody(id, body.Length, file.Number) : new StoredBody(id, body.Length);
    }

    private CommitResult? Refusal() =>
        Fault is { } fault ? new(CommitStatus.Failed, [], fault.Message)
        : _closed ? new(CommitStatus.Failed, [], "The spool is closed.")
        : null;

    private async Task RemoveLaterAsync(Task slot, StoredMessage message)
    {
        await slot;
        _writer.Enqueue(new SideRecord(RecordType.Removal, message.Id, message, default, default));
    }

    private void Unpin(Segment segment)
    {
        if (_tables.Unpin(segment))
            _compactor.Wake();
    }
}
