using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>Appends records to a journal. Many threads and many processes may append at once, those of the C library too.</summary>
/// <remarks>
/// Durability: at <see cref="JournalSafety.Safe"/> an append returns when its records are on disk (one sync serves all threads that wait);
/// at the other levels they are synced within a second, or sooner once 1 MiB waits. A record that reaches the unit limit stays whole in
/// its segment and finishes it.
/// Locks: an append holds the lock of the segment from reading its size until after the write. Single appends that follow each other closely
/// keep it for <see cref="LongestHold"/> at most, and only while no other writer shows itself: then a record costs one call of the system
/// instead of five. Between two holds <see cref="CheckEvery"/> appends give it back each, so that a writer that waits gets in and is noticed.
/// </remarks>
public sealed class JournalWriter : IDisposable
{
    /// <summary>Longest payload, octets. The format would take 2 GiB.</summary>
    public const int MaxPayloadBytes = 64 << 20;

    private const int SyncBytes = 1 << 20;
    private static readonly TimeSpan _syncDelay = TimeSpan.FromSeconds(1);

    /// <summary>Single appends between two looks at the clock.</summary>
    internal const int CheckEvery = 32;

    /// <summary>How long a writer keeps the lock between appends.</summary>
    internal static readonly TimeSpan LongestHold = TimeSpan.FromMilliseconds(4);

    /// <summary>So many appends in less than this follow each other closely.</summary>
    private static readonly TimeSpan _closely = TimeSpan.FromMilliseconds(1);

    /// <summary>After another writer was seen, each append gives the lock back for so long.</summary>
    private static readonly TimeSpan _shared = TimeSpan.FromSeconds(1);

    private readonly string _directory;
    private readonly Metastore _metastore;
    private readonly TimeProvider _time;
    private readonly ITimer _syncTimer, _releaseTimer;
    private readonly Lock _gate = new();
    private readonly Lock _syncGate = new();
    private RecordBuffer? _single;
    private JournalFile? _segment;
    private uint _number;
    private long _appended, _synced;
    private long _waiting;
    private bool _syncAsked, _syncSoon, _disposed;
    private Exception? _failure;

    // The lock of the open segment, and what was read under it: true only while it is held.
    private bool _locked;
    private MetastoreState _state;
    private long _size;

    private bool _keepsLock;  // a burst of single appends: the lock stays until the burst or its time is over
    private bool _otherSeen;
    private int _singles;
    private long _left = -1, _keptSince, _checked, _otherSeenAt;

    private JournalWriter(string directory, Metastore metastore, TimeProvider time)
    {
        _directory = directory;
        _metastore = metastore;
        _time = time;
        _otherSeenAt = _checked = time.GetTimestamp() - (time.TimestampFrequency * (long)_shared.TotalSeconds);
        _releaseTimer = time.CreateTimer(static state => ((JournalWriter)state!).EndBurst(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _syncTimer = time.CreateTimer(static state => SyncThread.Enqueue(((JournalWriter)state!).SyncInBackground), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Opens a journal for appending.</summary>
    /// <param name="adoptPreCommit">Takes over records that a C writer with a write buffer left behind. Say so only when no other writer runs: the format can't tell.</param>
    /// <exception cref="JournalException">No journal there, damaged, or records wait in its pre-commit buffer and are not to be adopted.</exception>
    public static JournalWriter Open(string directory, TimeProvider? time = null, bool adoptPreCommit = false)
    {
        var metastore = Metastore.Open(directory);
        var writer = new JournalWriter(directory, metastore, time ?? TimeProvider.System);
        try
        {
            PreCommit.Adopt(directory, metastore.Layout, adoptPreCommit, writer.AppendRaw);
            return writer;
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>Whether everything appended so far is on disk.</summary>
    internal bool IsSynced
    {
        get
        {
            lock (_syncGate)
                return _synced >= Volatile.Read(ref _appended);
        }
    }

    /// <summary>A buffer for <see cref="Append(RecordBuffer)"/>, in the layout of this journal.</summary>
    public RecordBuffer CreateBuffer() => new(_metastore.Layout);

    /// <inheritdoc cref="RecordBuffer.Add"/>
    /// <exception cref="JournalException">The disk refused; nothing of the record is in the journal.</exception>
    public void Append(ReadOnlySpan<byte> payload, long unixMicroseconds)
    {
        long ticket;
        lock (_gate)
        {
            var buffer = _single ??= new(_metastore.Layout);
            buffer.Clear();
            buffer.Add(payload, unixMicroseconds);
            if (++_singles >= CheckEvery)
                LookForBurst();
            var appended = 0;
            AppendRaw(buffer.Bytes, buffer.Ends, ref appended);
            if (buffer.Length > SyncBytes)
            {
                buffer.Dispose();
                _single = null;
            }
            ticket = Appended();
        }
        SyncThrough(ticket);
    }

    /// <summary>Appends all records of a buffer, in order, and clears it.</summary>
    /// <exception cref="JournalException">The disk refused; the records that went in before are taken out of the buffer, so that it can be appended again.</exception>
    public void Append(RecordBuffer buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        long ticket;
        lock (_gate)
        {
            _keepsLock = false;
            var appended = 0;
            try
            {
                AppendRaw(buffer.Bytes, buffer.Ends, ref appended);
            }
            finally
            {
                buffer.RemoveFirst(appended);
                ticket = Appended();
            }
        }
        SyncThrough(ticket);
    }

    /// <summary>Puts everything appended so far on disk.</summary>
    public void Sync()
    {
        long ticket;
        lock (_gate)
            ticket = _appended;
        Sync(ticket);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            _syncTimer.Dispose();
            _releaseTimer.Dispose();
            _single?.Dispose();
            _locked = false;  // goes with the file
        }
        lock (_syncGate)
        {
            try
            {
                _segment?.Sync();
            }
            finally
            {
                _segment?.Dispose();
                _segment = null;
                _metastore.Dispose();
            }
        }
    }

    /// <param name="next">Records of it that are in the journal, also when an exception ends it.</param>
    private void AppendRaw(ReadOnlySpan<byte> bytes, ReadOnlySpan<int> ends, ref int next)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_failure is { } failure)
            throw new JournalException(JournalError.SegmentWrite, $"'{_directory}' could not be synced before, so nothing more is appended: {failure.Message}", failure);
        var written = 0;
        while (next < ends.Length)
        {
            var segment = _segment ??= OpenActive();
            bool full, stale;
            try
            {
                TakeLock(segment);
                full = _size >= _state.UnitLimit;
                // A segment that others have finished may be closed by readers: what lands there now would never be read.
                stale = _state.ActiveSegment != _number;
                if (!full && !stale)
                {
                    var until = next;
                    while (until < ends.Length && _size + ends[until++] - written < _state.UnitLimit)
                    {
                    }
                    var block = bytes[written..ends[until - 1]];
                    Write(segment, block, _size);
                    _size += block.Length;
                    _waiting += block.Length;
                    written += block.Length;
                    next = until;
                    _appended++;
                    full = _size >= _state.UnitLimit;
                }
            }
            catch
            {
                GiveLock();
                throw;
            }
            if (!_keepsLock || full || stale)
                GiveLock();
            if (full || stale)
                Finish(full && !stale);
        }
    }

    /// <summary>Takes the lock of the open segment unless this writer has it still, and reads what holds under it.</summary>
    private void TakeLock(JournalFile segment)
    {
        if (_locked)
            return;
        segment.TakeLock();
        _locked = true;
        _state = _metastore.ReadState();
        _size = segment.Length;
        _otherSeen |= _left >= 0 && _size != _left;
    }

    private void GiveLock()
    {
        if (!_locked)
            return;
        _locked = false;
        _left = _size;
        _segment!.GiveLock();
    }

    /// <summary>Decides, once in a while, whether the lock is kept between single appends.</summary>
    private void LookForBurst()
    {
        _singles = 0;
        var (now, last) = (_time.GetTimestamp(), _checked);
        _checked = now;
        if (_otherSeen)
            (_otherSeen, _otherSeenAt) = (false, now);
        if (_keepsLock)
        {
            if (_time.GetElapsedTime(_keptSince, now) < LongestHold)
                return;
            _keepsLock = false;
            GiveLock();
        }
        else if (_time.GetElapsedTime(last, now) < _closely && _time.GetElapsedTime(_otherSeenAt, now) >= _shared)
        {
            (_keepsLock, _keptSince) = (true, now);
            _releaseTimer.Change(LongestHold, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>The burst paused or ended: nobody has to wait for it.</summary>
    private void EndBurst()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _keepsLock = false;
            GiveLock();
        }
    }

    private static void Write(JournalFile segment, ReadOnlySpan<byte> bytes, long size)
    {
        try
        {
            segment.Write(bytes, size);
        }
        catch (IOException e)
        {
            segment.Truncate(size);  // no torn record stays in front of what others append
            throw new JournalException(JournalError.SegmentWrite, $"Cannot append {bytes.Length} octets to '{segment.Path}': {e.Message}", e);
        }
    }

    /// <summary>Leaves the open segment for good; with <paramref name="roll"/> this process is to name the next one if nobody has.</summary>
    private void Finish(bool roll)
    {
        lock (_syncGate)
        {
            _segment!.Sync();
            _segment.Dispose();
            _segment = null;
            _left = -1;
            _synced = _appended;
        }
        if (!roll)
            return;
        using var held = _metastore.Lock();
        if (_metastore.ActiveSegment != _number)
            return;
        if (_number == uint.MaxValue)
            throw new JournalException(JournalError.SegmentWrite, $"'{_directory}' has used its last segment number; start a new journal.");
        JournalFile.TryOpen(Layout.SegmentPath(_directory, _number + 1), create: true, JournalError.SegmentOpen)!.Dispose();
        JournalFile.SyncDirectory(_directory);
        _metastore.ActiveSegment = _number + 1;
        if (_metastore.Safety == JournalSafety.Safe)
            _metastore.Sync();
    }

    /// <summary>Opens the active segment and cuts an incomplete last record off it, which readers have never seen.</summary>
    private JournalFile OpenActive()
    {
        JournalFile segment;
        using (_metastore.Lock())
        {
            _number = _metastore.ActiveSegment;
            segment = JournalFile.TryOpen(Layout.SegmentPath(_directory, _number), create: true, JournalError.SegmentOpen)!;
        }
        try
        {
            using var held = segment.Lock();
            using var walk = new SegmentWalk(segment, _metastore.Layout, segment.Length);
            long position = 0;
            while (walk.TryRead(position, out var header))
            {
                if (header.Magic != _metastore.Layout.Magic)
                    throw new JournalException(JournalError.SegmentCorrupt, $"'{segment.Path}' is damaged at octet {position}; repair the journal before appending.");
                var end = walk.End(position, header);
                if (end > walk.Length)
                    break;
                position = end;
            }
            if (position < walk.Length)
                segment.Truncate(position);
            return segment;
        }
        catch
        {
            segment.Dispose();
            throw;
        }
    }

    /// <summary>Notes that something waits for a sync. The caller holds the gate.</summary>
    private long Appended()
    {
        if (_waiting >= SyncBytes && !_syncSoon)
        {
            _syncAsked = _syncSoon = true;
            _syncTimer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
        else if (!_syncAsked)
        {
            _syncAsked = true;
            _syncTimer.Change(_syncDelay, Timeout.InfiniteTimeSpan);
        }
        return _appended;
    }

    private void SyncThrough(long ticket)
    {
        if (_state.Safety == JournalSafety.Safe)
            Sync(ticket);
    }

    private void Sync(long ticket)
    {
        lock (_syncGate)
        {
            if (_synced >= ticket || _segment is not { } segment)
                return;
            var reached = Volatile.Read(ref _appended);
            try
            {
                segment.Sync();
            }
            catch (IOException e)
            {
                _failure = e;  // after a failed sync the kernel may have dropped the pages: never pretend that a later one helped
                throw new JournalException(JournalError.SegmentWrite, $"Cannot sync '{segment.Path}': {e.Message}", e);
            }
            _synced = reached;
        }
    }

    /// <summary>Syncs what was appended so far; on <see cref="SyncThread"/>. Never throws: a failure is kept for the next append.</summary>
    private void SyncInBackground()
    {
        lock (_gate)
        {
            _syncAsked = _syncSoon = false;
            _waiting = 0;
            if (_disposed)
                return;
        }
        try
        {
            Sync();
        }
        catch (JournalException)
        {
            // Kept in _failure: the next append reports it.
        }
        catch (ObjectDisposedException)
        {
            // Closed meanwhile, and synced by that.
        }
    }
}
