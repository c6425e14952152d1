using System.Net.Sockets;
using Veredus.Logging;

namespace Veredus.Control;

/// <summary>Serves the line protocol of mta.md 9.2 on one listening socket.</summary>
public sealed class ControlServer : IAsyncDisposable
{
    /// <summary>Sessions at one time; one more is told so and closed.</summary>
    public const int MaxSessions = 100;

    private readonly Socket _listening;
    private readonly ControlRunner _runner;
    private readonly IMailLog _log;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _sessions = [];
    private readonly Task _accepting;
    private int _disposed;

    /// <param name="listening">Bound and listening; owned from now on.</param>
    /// <param name="options">For sessions that begin from now on.</param>
    /// <param name="commands">What can be asked.</param>
    /// <param name="log">acctlog records, and faults of commands.</param>
    /// <param name="time">Time stamps and the idle limit.</param>
    public ControlServer(Socket listening, ControlListenerOptions options, ControlCommandTable commands, IMailLog log, TimeProvider time)
    {
        (_listening, Options, _runner, _log, _time) = (listening, options, new(commands, log, time), log, time);
        _accepting = AcceptAsync();
    }

    /// <summary>Replaced at a reload; sessions that are open keep theirs.</summary>
    public ControlListenerOptions Options { get; set; }

    /// <summary>Stops accepting and ends all sessions; a command that runs is cancelled.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
            return;
        await _stopping.CancelAsync();
        _listening.Dispose();
        await _accepting;
        Task[] sessions;
        lock (_gate)
            sessions = [.. _sessions];
        await Task.WhenAll(sessions);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await _listening.AcceptAsync(_stopping.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException exception)
            {
                if (_stopping.IsCancellationRequested)
                    return;
                // Out of descriptors, or the client left before it was accepted: wait a little, others may free some.
                _log.Panic(PanicLevel.Error, PanicSubsystems.Net, "control", $"{Options.Name}: a session could not be accepted: {exception.Message}");
                await Task.Delay(TimeSpan.FromMilliseconds(100), _time, CancellationToken.None);
                continue;
            }
            Begin(socket);
        }
    }

    private void Begin(Socket socket)
    {
        lock (_gate)
        {
            if (_sessions.Count >= MaxSessions)
            {
                TrySay(socket, $"-ERR {ControlErrors.Internal} too many sessions ({MaxSessions}); try again later\n");
                socket.Dispose();
                return;
            }
            var session = RunAsync(socket);
            _sessions.Add(session);
            session.ContinueWith(Remove, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        void Remove(Task session)
        {
            lock (_gate)
                _sessions.Remove(session);
        }
    }

    private async Task RunAsync(Socket socket)
    {
        // Leave the accept loop at once; the session may end synchronously otherwise.
        await Task.Yield();
        ControlConnection connection;
        try
        {
            var options = Options;
            options = options.ForClient?.Invoke((socket.RemoteEndPoint as System.Net.IPEndPoint)?.Address) ?? options;
            connection = new ControlConnection(socket, options, _runner, _log, _time);
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            socket.Dispose();  // the client left before it was asked who it is
            return;
        }
        try
        {
            await connection.RunAsync(_stopping.Token);
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException
            or System.Security.Authentication.AuthenticationException or ObjectDisposedException)
        {
            // The client left, or took longer than it may: its session is over, nobody else is concerned.
        }
#pragma warning disable CA1031 // The fence: a fault ends this session and is told to the operator.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _log.Panic(PanicLevel.Critical, PanicSubsystems.Error, "control", $"{Options.Name}: a session ended by a fault: {exception}");
        }
        finally
        {
            await connection.DisposeAsync();
        }
    }

    private static void TrySay(Socket socket, string line)
    {
        try
        {
            socket.Send(System.Text.Encoding.UTF8.GetBytes(line), SocketFlags.None);
        }
        catch (SocketException)
        {
            // It is being closed anyway.
        }
    }
}
