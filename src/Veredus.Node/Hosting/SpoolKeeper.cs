using Veredus.Logging;
using Veredus.Spool;

namespace Veredus.Node.Hosting;

/// <summary>
/// Says every 5 seconds that this node lives and has its spool, and looks whether it still has (logging.md 9.1). When another node has taken the spool, or the
/// storage has not answered for 15 seconds, the spool is given up: the node accepts and delivers nothing more and ends.
/// </summary>
internal sealed class SpoolKeeper : IAsyncDisposable
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5), Limit = TimeSpan.FromSeconds(15);

    private readonly SpoolStore _spool;
    private readonly MailLogs _logs;
    private readonly TimeProvider _time;
    private readonly string _spoolBase;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;

    /// <exception cref="IOException">The spool cannot be renewed even once.</exception>
    public SpoolKeeper(SpoolStore spool, string spoolBase, MailLogs logs, TimeProvider time)
    {
        (_spool, _spoolBase, _logs, _time) = (spool, spoolBase, logs, time);
        spool.RenewLock();
        spool.Guard(Limit);
        _running = Task.Run(RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(Interval, _time);
        var lastGood = _time.GetTimestamp();
        Task? renewing = null;
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                // Storage that hangs must not keep this from noticing how long it does.
                renewing ??= Task.Run(_spool.RenewLock);
                try
                {
                    await renewing.WaitAsync(Interval, _time, _stopping.Token);
                    (renewing, lastGood) = (null, _time.GetTimestamp());
                    continue;
                }
                catch (SpoolTakenException taken)
                {
                    _logs.Panic(PanicLevel.Critical, PanicSubsystems.Error, "spool", taken.Message);
                    return;
                }
                catch (TimeoutException)
                {
                    _logs.Panic(PanicLevel.Error, PanicSubsystems.Error, "spool", $"the storage of {_spoolBase} does not answer");
                }
                catch (IOException e)
                {
                    renewing = null;
                    _logs.Panic(PanicLevel.Error, PanicSubsystems.Error, "spool", $"the spool's lock cannot be renewed: {e.Message}");
                }
                if (_time.GetElapsedTime(lastGood) < Limit)
                    continue;
                var reason = $"spool: the storage of '{_spoolBase}' has not answered for {_time.GetElapsedTime(lastGood).TotalSeconds:0} s: this node stops before another one may take the spool over.";
                _logs.Panic(PanicLevel.Critical, PanicSubsystems.Error, "spool", reason);
                _spool.Lose(reason);
                return;
            }
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
    }
}
