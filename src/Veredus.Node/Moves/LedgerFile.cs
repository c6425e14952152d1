using System.Text;
using Microsoft.Win32.SafeHandles;
using Veredus.Moves;

namespace Veredus.Node.Moves;

/// <summary>The ledger of moves on the disk: a file of lines in the spool's directory. An entry is in the file when <see cref="Note"/> returns, and survives a power cut once synced.</summary>
internal sealed class LedgerFile : IAsyncDisposable
{
    /// <summary>Lines after which the file is written anew with what still counts.</summary>
    private const int MaxLines = 1_000_000;

    private readonly string _path;
    private readonly bool _syncs;
    private readonly Action<string> _report;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _work = new(0);
    private readonly Task _syncing;
    private SafeFileHandle? _file;
    private long _length;
    private int _lines;
    private List<Action> _afterSync = [];
    private bool _isClosed, _isFailing;

    private LedgerFile(string path, bool syncs, Action<string> report, MoveLedger ledger)
    {
        (_path, _syncs, _report) = (path, syncs, report);
        Rewrite(ledger);
        _syncing = Task.Run(SyncAsync);
    }

    /// <summary>Reads the file into the ledger, which must be new, and begins a fresh one.</summary>
    /// <exception cref="IOException">It cannot be read or written.</exception>
    public static LedgerFile Open(string spoolBase, MoveLedger ledger, long nowMs, bool syncs, Action<string> report)
    {
        var path = Path.Combine(spoolBase, "moves.ledger");
        var damaged = 0;
        if (File.Exists(path))
        {
            foreach (var line in File.ReadLines(path))
            {
                if (LedgerLine.TryRead(line, out var entry) && nowMs - entry.AtMs < MoveLedger.MaxKeepMs)
                    ledger.Apply(entry);
                else if (!LedgerLine.TryRead(line, out _))
                    damaged++;
            }
        }
        if (damaged > 0)
            report($"mmove: {damaged} lines of {path} are damaged and left out");
        return new(path, syncs, report, ledger);
    }

    /// <summary>Appends an entry.</summary>
    /// <param name="whenSynced">Runs once it is on the disk; on the file's own task.</param>
    public void Note(LedgerEntry entry, Action? whenSynced = null)
    {
        var line = Encoding.ASCII.GetBytes(LedgerLine.Write(entry));
        lock (_gate)
        {
            try
            {
                RandomAccess.Write(_file!, line, _length);
                _length += line.Length;
                _lines++;
                _isFailing = false;
            }
            catch (IOException e)
            {
                // The spool says what is here; only a message that goes while the disk is full and is offered again is not recognised.
                if (!_isFailing)
                    _report($"mmove: {_path} cannot be written: {e.Message}");
                _isFailing = true;
            }
            if (whenSynced is null)
                return;
            _afterSync.Add(whenSynced);
            if (_afterSync.Count == 1)
                _work.Release();
        }
    }

    /// <summary>Whether the file has grown so long that <see cref="Rewrite"/> is due.</summary>
    public bool IsLong => Volatile.Read(ref _lines) > MaxLines;

    /// <summary>Writes the file anew with the entries of the ledger. The caller keeps the ledger still.</summary>
    public void Rewrite(MoveLedger ledger)
    {
        lock (_gate)
        {
            var next = _path + ".new";
            using (var stream = new FileStream(next, FileMode.Create, FileAccess.Write, FileShare.Read, 1 << 16))
            {
                foreach (var entry in ledger.Entries)
                    stream.Write(Encoding.ASCII.GetBytes(LedgerLine.Write(entry)));
                stream.Flush(flushToDisk: _syncs);
                (_length, _lines) = (stream.Length, ledger.Count);
            }
            File.Move(next, _path, overwrite: true);
            _file?.Dispose();
            _file = File.OpenHandle(_path, FileMode.Open, FileAccess.Write, FileShare.Read);
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
            _isClosed = true;
        _work.Release();
        await _syncing;
        _file?.Dispose();
        _work.Dispose();
    }

    private async Task SyncAsync()
    {
        while (true)
        {
            await _work.WaitAsync();
            List<Action> due;
            lock (_gate)
            {
                (due, _afterSync) = (_afterSync, []);
                if (due.Count == 0 && _isClosed)
                    return;
            }
            try
            {
                if (_syncs && due.Count > 0)
                    RandomAccess.FlushToDisk(_file!);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                // Written anew at the same moment, or the disk refuses: what is stored is delivered all the same.
                if (e is IOException)
                    _report($"mmove: {_path} cannot be synced: {e.Message}");
            }
            foreach (var action in due)
                action();
            lock (_gate)
                if (_isClosed && _afterSync.Count == 0)
                    return;
        }
    }
}
