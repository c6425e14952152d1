using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Veredus.Configuration;
using Veredus.Logging;
using Veredus.Node.Listening;
using Veredus.Node.Settings;
using Veredus.Reception;
using Veredus.Smtp;

namespace Veredus.Node.Inbound;

/// <summary>
/// The SMTP sockets of the node: opens and closes them while it runs, accepts, and runs a session for each client. A new configuration's
/// sockets are opened before it is taken into use, and those that it lacks are closed after that.
/// </summary>
internal sealed partial class SmtpListeners : IConfigurationParticipant, IAsyncDisposable
{
    /// <summary>How long accepting rests when the system has no descriptor or memory left.</summary>
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(200);

    private static readonly IPEndPoint UnixClient = new(IPAddress.Loopback, 0);

    private readonly LiveSettings _settings;
    private readonly ReceptionParts _parts;
    private readonly SmtpSessions _sessions;
    private readonly SocketConnectionContextFactory _connections;
    private readonly ConcurrentDictionary<SmtpServerSession, InboundSession> _open = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Dictionary<string, Listener> _listeners = new(StringComparer.Ordinal);
    private int _running = 1;
    private bool _isStarted;

    public SmtpListeners(LiveSettings settings, ReceptionParts parts, SmtpSessions sessions)
    {
        (_settings, _parts, _sessions) = (settings, parts, sessions);
        _connections = new(
            new SocketConnectionFactoryOptions
            {
                MaxReadBufferSize = 256 * 1024,
                MaxWriteBufferSize = 64 * 1024,
                // The session goes on where the octets came in, and writes from there: docs/decisions/0070.
                UnsafePreferInlineScheduling = true,
                WaitForDataBeforeAllocatingBuffer = false,
            },
            NullLogger.Instance);
    }

    /// <summary>The addresses that are listened on, with the ports that the system chose where 0 was asked for.</summary>
    public IReadOnlyDictionary<string, EndPoint> Endpoints => _listeners.ToDictionary(pair => pair.Key, pair => pair.Value.Socket.LocalEndPoint!, StringComparer.Ordinal);

    public IEnumerable<InboundSession> Sessions => _open.Values;

    /// <summary>Opens the sockets of the configuration in force and begins to accept.</summary>
    /// <exception cref="IOException">A socket cannot be opened; none is open then.</exception>
    public void Start()
    {
        var opened = new Dictionary<string, Listener>(StringComparer.Ordinal);
        try
        {
            var virtuals = VirtualAddresses.Of(_settings.Current.Configuration);
            foreach (var listen in _settings.Current.SmtpListens.Where(listen => !virtuals.Contains(listen)))
                opened.Add(listen.Endpoint.ToString(), Listener.Open(listen));
        }
        catch
        {
            foreach (var listener in opened.Values)
                listener.Dispose();
            throw;
        }

        _isStarted = true;
        foreach (var listener in opened.Values)
            Accept(listener);
        _listeners = opened;
    }

    public ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken)
    {
        if (!_isStarted)
            return default;
        var virtuals = VirtualAddresses.Of(change.New);
        var wanted = change.New.Listens.Where(listen => listen.Listener == ScopeKinds.EsmtpListener && listen.IsEnabled && !virtuals.Contains(listen))
            .ToDictionary(listen => listen.Endpoint.ToString(), StringComparer.Ordinal);
        var before = _listeners;
        var next = new Dictionary<string, Listener>(StringComparer.Ordinal);
        foreach (var (name, listen) in wanted)
        {
            if (before.TryGetValue(name, out var kept))
            {
                next.Add(name, kept);
                continue;
            }

            try
            {
                // A socket of ours that goes away may hold the same port on another address, a wildcard say.
                foreach (var leaving in before.Where(pair => !wanted.ContainsKey(pair.Key) && pair.Value.SharesPort(listen.Endpoint)))
                    ListenSocket.AllowSharing(leaving.Value.Socket);
                next.Add(name, Listener.Open(listen, mayShare: before.Values.Any(other => other.SharesPort(listen.Endpoint))));
            }
            catch (IOException e)
            {
                problems.Add(listen.Scope.Position, name, e.Message);
            }
        }

        return new(new Prepared(this, before, next));
    }

    /// <summary>Closes all sockets, answers 421 to idle sessions and waits for transactions under way.</summary>
    /// <param name="grace">Longest wait; what is still open then is dropped.</param>
    public async Task StopAsync(TimeSpan grace)
    {
        foreach (var listener in _listeners.Values)
            listener.Dispose();
        _listeners = [];
        CloseVirtual();
        _sessions.Close(SmtpReplies.ShuttingDown);
        Ended();
        try
        {
            await _drained.Task.WaitAsync(grace, _parts.Time);
        }
        catch (TimeoutException)
        {
            _parts.Log.Panic(PanicLevel.Warning, PanicSubsystems.Smtp, "", $"{_open.Count} inbound sessions did not end within {grace.TotalSeconds:0} s and were dropped");
            await _abort.CancelAsync();
            await _drained.Task;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_drained.Task.IsCompleted)
            await StopAsync(TimeSpan.Zero);
        _connections.Dispose();
        _abort.Dispose();
    }

    private void Accept(Listener listener)
    {
        Interlocked.Increment(ref _running);
        _ = Task.Run(() => AcceptAsync(listener)); // counted: StopAsync waits for it
    }

    private async Task AcceptAsync(Listener listener)
    {
        using var acceptor = new SocketAcceptor(listener.Socket);
        try
        {
            while (true)
            {
                switch (await acceptor.AcceptAsync())
                {
                    case SocketError.Success:
                        Interlocked.Increment(ref _running);
                        _ = RunAsync(listener, acceptor.AcceptSocket!); // counted: StopAsync waits for it
                        break;
                    case SocketError.OperationAborted or SocketError.InvalidArgument or SocketError.Interrupted:
                        return;
                    case var error when !listener.IsClosed:
                        _parts.Log.Panic(PanicLevel.Error, PanicSubsystems.Fd, "", $"accepting on {listener.Name}: {new SocketException((int)error).Message}");
                        await Task.Delay(Breath, _parts.Time);
                        break;
                    default:
                        return;
                }
            }
        }
        finally
        {
            Ended();
        }
    }

    private async Task RunAsync(Listener listener, Socket socket)
    {
        try
        {
            await ServeAsync(listener, socket);
        }
        catch (Exception e) // fenced off: one connection
        {
            _parts.Log.Panic(PanicLevel.Error, PanicSubsystems.Smtp, "", $"connection on {listener.Name}: {e}");
            socket.Dispose();
        }
        finally
        {
            Ended();
        }
    }

    private async Task ServeAsync(Listener listener, Socket socket)
    {
        var isUnix = listener.Endpoint.UnixPath is not null;
        IPEndPoint remote, local;
        try
        {
            if (!isUnix)
                socket.NoDelay = true;
            remote = isUnix ? UnixClient : (IPEndPoint)socket.RemoteEndPoint!;
            local = isUnix ? UnixClient : (IPEndPoint)socket.LocalEndPoint!;
        }
        catch (SocketException)
        {
            socket.Dispose(); // reset while it waited to be accepted
            return;
        }

        if (_settings.Current.Policy(listener.Name, isUnix ? null : remote.Address) is not { } policy)
        {
            socket.Dispose(); // the listener is being closed
            return;
        }

        var number = (int)socket.Handle;
        await using var connection = _connections.Create(socket);
        using var reception = new ReceptionSession(_parts, policy, isUnix);
        var session = new SmtpServerSession(connection.Transport, remote, local, reception, policy.Options, _sessions);
        _open.TryAdd(session, new(session, reception, listener.Name, number));
        using var here = listener.Virtual?.Enter(session, _abort.Token);
        try
        {
            var end = await session.RunAsync(here?.Aborted ?? _abort.Token);
            if (session.Failure is { } failure and not IOException)
                _parts.Log.Panic(PanicLevel.Error, PanicSubsystems.Smtp, "", $"session {reception.ConnectionId} with {remote}: {failure}");
            if (end is SmtpSessionEnd.Stalled or SmtpSessionEnd.Disconnected)
                connection.Abort(new("the client does not read or is gone"));
        }
        finally
        {
            _open.TryRemove(session, out _);
        }
    }

    private void Ended()
    {
        if (Interlocked.Decrement(ref _running) == 0)
            _drained.TrySetResult();
    }

    private void Commit(Dictionary<string, Listener> before, Dictionary<string, Listener> next)
    {
        _listeners = next;
        foreach (var (name, listener) in next)
        {
            if (!before.ContainsKey(name))
                Accept(listener);
        }

        foreach (var (name, listener) in before)
        {
            if (!next.ContainsKey(name))
                listener.Dispose();
        }

        // Sessions keep what they began with; those for which something changed end at their next command.
        foreach (var open in _open.Values)
        {
            var client = open.Policy.IsUnixSocket ? null : open.Session.RemoteEndPoint.Address;
            var policy = _settings.Current.Policy(open.Endpoint, client);
            if (policy is null || policy.Fingerprint != open.Policy.Policy.Fingerprint)
                open.Session.Close(open.Policy.Policy.Reconfigured);
        }
    }

    private sealed class Listener(string name, ListenEndpoint endpoint, Socket socket) : IDisposable
    {
        public string Name => name;

        public ListenEndpoint Endpoint => endpoint;

        public Socket Socket => socket;

        public bool IsClosed { get; private set; }

        /// <summary>The virtual address that it is on, while that is here.</summary>
        public VirtualAddress? Virtual { get; init; }

        public static Listener Open(ListenDefinition listen, bool mayShare = false, VirtualAddress? at = null) => new(
            listen.Endpoint.ToString(), listen.Endpoint,
            ListenSocket.Open(listen.Endpoint, new(listen.Own.Get(Options.ListenBacklog), listen.Own.Get(Options.FileMode), FreeBind: at is not null, MayShare: mayShare)))
        { Virtual = at };

        public bool SharesPort(ListenEndpoint other) => endpoint.Port != 0 && endpoint.Port == other.Port && endpoint.UnixPath is null && other.UnixPath is null;

        public void Dispose()
        {
            IsClosed = true;
            socket.Dispose();
            if (endpoint.UnixPath is { } path)
                File.Delete(path);
        }
    }

    private sealed class Prepared(SmtpListeners listeners, Dictionary<string, Listener> before, Dictionary<string, Listener> next) : IPreparedConfiguration
    {
        public void Commit() => listeners.Commit(before, next);

        public ValueTask AbortAsync()
        {
            foreach (var (name, listener) in next)
            {
                if (!before.ContainsKey(name))
                    listener.Dispose();
            }

            return default;
        }
    }
}
