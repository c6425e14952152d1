using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Veredus.Cluster;

/// <summary>Who is at the other end of a point-to-point connection: proved by certificate and found in the membership.</summary>
public sealed record ClusterPeer(string NodeName, Incarnation Incarnation, EndPoint RemoteAddress);

/// <summary>Something that members ask each other for, point to point: <c>logs</c>, <c>ECmmove2</c>, <c>snapshot</c>, <c>result</c>.</summary>
public interface IClusterService
{
    string Name { get; }

    /// <summary>Serves one connection after it was opened; returning closes it.</summary>
    Task ServeAsync(ClusterPeer peer, IDuplexPipe connection, CancellationToken cancellationToken);
}

/// <summary>Settings of the listener.</summary>
/// <param name="VerifyPeers">The source address must be that of the member (<c>cluster { verify_peers }</c>).</param>
/// <param name="MaxConnections">Further ones are answered 450.</param>
/// <param name="OpeningTimeout">From the connection to the answer, TLS included (<c>idle_timeout</c>).</param>
public sealed record ClusterListenerSettings(
    IPEndPoint Address, string NodeName, Incarnation Incarnation, bool VerifyPeers = true, int MaxConnections = 512, int Backlog = 500, TimeSpan? OpeningTimeout = null);

/// <summary>The ECCluster listener: everything point to point that needs no order of the group, between members only, over mutual TLS.</summary>
public sealed class ClusterListener : IAsyncDisposable
{
    private readonly ClusterListenerSettings _settings;
    private readonly ClusterIdentity _identity;
    private readonly Func<ClusterMembership> _membership;
    private readonly ConcurrentDictionary<string, IClusterService> _services = new(StringComparer.Ordinal);
    private readonly Action<EndPoint?, string> _report;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Task, bool> _serving = new();
    private readonly Socket _socket;
    private readonly Task _accepting;

    /// <param name="membership">The membership at the moment of asking.</param>
    /// <param name="report">Told of each connection that failed, with why; for the log.</param>
    /// <exception cref="SocketException">The address can't be bound.</exception>
    public ClusterListener(
        ClusterListenerSettings settings, ClusterIdentity identity, Func<ClusterMembership> membership, IEnumerable<IClusterService> services, Action<EndPoint?, string> report)
    {
        (_settings, _identity, _membership, _report) = (settings, identity, membership, report);
        foreach (var service in services)
            Offer(service);
        _socket = new Socket(settings.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _socket.Bind(settings.Address);
        _socket.Listen(settings.Backlog);
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens, with the port that the system chose if 0 was asked for.</summary>
    public IPEndPoint Address => (IPEndPoint)_socket.LocalEndPoint!;

    /// <summary>Adds a service; connections that ask for it from now on get it.</summary>
    public void Offer(IClusterService service) => _services[service.Name] = service;

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var connection = await _socket.AcceptAsync(_stopping.Token);
                var serving = Task.Run(() => ServeAsync(connection));
                _serving[serving] = true;
                _ = serving.ContinueWith(done => _serving.TryRemove(done, out _), TaskScheduler.Default);
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException)
        {
            if (!_stopping.IsCancellationRequested)
                _report(null, $"the ECCluster listener stopped: {ended.Message}");
        }
    }

    private async Task ServeAsync(Socket connection)
    {
        var remote = connection.RemoteEndPoint;
        try
        {
            ClusterConnection.Prepare(connection);
            await using var stream = new SslStream(new NetworkStream(connection, ownsSocket: true));
            var pipe = new StreamPipe(stream);
            using var opening = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            opening.CancelAfter(_settings.OpeningTimeout ?? TimeSpan.FromSeconds(30));
            await stream.AuthenticateAsServerAsync(_identity.ServerOptions(), opening.Token);
            await ChannelLines.WriteAsync(pipe.Output, ChannelLines.Greeting(_settings.NodeName, _settings.Incarnation), opening.Token);
            var line = await ChannelLines.ReadAsync(pipe.Input, opening.Token);
            var answer = Decide(line, ClusterIdentity.NameOfPeer(stream), remote, out var service, out var peer);
            await ChannelLines.WriteAsync(pipe.Output, answer, opening.Token);
            if (service is not null)
                await service.ServeAsync(peer!, pipe, _stopping.Token);
            else
                _report(remote, $"{answer} ({line})");
            await pipe.Output.CompleteAsync();
        }
        catch (Exception failure) when (failure is IOException or InvalidDataException or AuthenticationException or SocketException)
        {
            _report(remote, failure.Message);
        }
        catch (OperationCanceledException)
        {
            if (!_stopping.IsCancellationRequested)
                _report(remote, "said nothing in time");
        }
        catch (Exception fault)
        {
            _report(remote, fault.ToString());  // a bug in a service ends its connection, not the others
        }
    }

    private string Decide(string line, string? provedName, EndPoint? remote, out IClusterService? service, out ClusterPeer? peer)
    {
        (service, peer) = (null, null);
        if (_stopping.IsCancellationRequested)
            return "421 shutting down";
        if (_serving.Count > _settings.MaxConnections)
            return "450 busy";
        if (!ChannelLines.TryReadRequest(line, out var wanted, out var name, out var incarnation))
            return "500 SERVICE name nodename incarnation";
        if (name != provedName || _membership().Find(name)?.Hello is not { } member || !ComesFrom(remote, member))
            return "551 not a cluster member";
        if (member.Incarnation != incarnation)
            return "552 incarnation mismatch";
        if (!_services.TryGetValue(wanted, out service))
            return "550 unknown service";
        peer = new(name, incarnation, remote!);
        return "250 ok";
    }

    /// <summary>A manager without an address in its introduction has proved its name by its certificate, and that is all.</summary>
    private bool ComesFrom(EndPoint? remote, Hello member) =>
        !_settings.VerifyPeers || member.Address.Address.Equals(IPAddress.Any) || remote is IPEndPoint { Address: var address } && Plain(address).Equals(Plain(member.Address.Address));

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    /// <summary>Stops accepting, ends what is being served and waits for it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _socket.Dispose();
        await _accepting;
        await Task.WhenAll(_serving.Keys);
        _stopping.Dispose();
    }
}
