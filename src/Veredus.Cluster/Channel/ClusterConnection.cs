using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Veredus.Cluster;

/// <summary>A stream as the two ends of a pipe.</summary>
internal sealed class StreamPipe(Stream stream) : IDuplexPipe
{
    public PipeReader Input { get; } = PipeReader.Create(stream, new(leaveOpen: true));
    public PipeWriter Output { get; } = PipeWriter.Create(stream, new(leaveOpen: true));
}

/// <summary>A peer would not serve, or is not who it should be.</summary>
/// <param name="code">Its answer's code; 0 when there was none.</param>
public sealed class ClusterConnectionException(int code, string message, Exception? inner = null) : IOException(message, inner)
{
    public int Code { get; } = code;

    /// <summary>421 and 450, and failures of the network: worth another try.</summary>
    public bool IsTransient => Code is 0 or >= 400 and < 500;
}

/// <summary>An open connection to a service of another member.</summary>
public sealed class ClusterConnection : IAsyncDisposable
{
    private readonly SslStream _stream;
    private readonly StreamPipe _pipe;

    private ClusterConnection(SslStream stream, StreamPipe pipe, ClusterPeer peer) => (_stream, _pipe, Peer) = (stream, pipe, peer);

    public ClusterPeer Peer { get; }

    public IDuplexPipe Transport => _pipe;

    /// <summary>Connects to a member's ECCluster listener and asks for a service.</summary>
    /// <param name="member">Whom; it must prove to have this name, and greet with this incarnation.</param>
    /// <param name="ownIncarnation">That of this process.</param>
    /// <exception cref="ClusterConnectionException">No connection, the wrong peer, or it refuses.</exception>
    public static async Task<ClusterConnection> OpenAsync(
        Hello member, string service, ClusterIdentity identity, Incarnation ownIncarnation, CancellationToken cancellationToken)
    {
        var socket = new Socket(member.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        Prepare(socket);
        SslStream? stream = null;
        try
        {
            await socket.ConnectAsync(member.Address, cancellationToken);
            stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
            await stream.AuthenticateAsClientAsync(identity.ClientOptions(member.NodeName), cancellationToken);
            var pipe = new StreamPipe(stream);
            await AskAsync(pipe, member, service, identity.NodeName, ownIncarnation, cancellationToken);
            return new(stream, pipe, new(member.NodeName, member.Incarnation, member.Address));
        }
        catch (Exception failure)
        {
            if (stream is null)
                socket.Dispose();
            else
                await stream.DisposeAsync();
            if (failure is SocketException or InvalidDataException or AuthenticationException || failure is IOException and not ClusterConnectionException)
                throw new ClusterConnectionException(0, $"{member.NodeName} at {member.Address}: {failure.Message}", failure);
            throw;
        }
    }

    /// <summary>Small messages leave at once, and a peer whose host is gone is noticed after some 20 s of silence (<c>keepalive_interval</c>).</summary>
    internal static void Prepare(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 5);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
    }

    private static async Task AskAsync(
        StreamPipe pipe, Hello member, string service, string ownName, Incarnation ownIncarnation, CancellationToken cancellationToken)
    {
        var greeting = await ChannelLines.ReadAsync(pipe.Input, cancellationToken);
        if (!ChannelLines.TryReadGreeting(greeting, out var name, out var incarnation))
            throw new ClusterConnectionException(0, $"{member.Address} greets with '{greeting}'; it is no ECCluster listener.");
        if (name != member.NodeName || incarnation != member.Incarnation)
            throw new ClusterConnectionException(552, $"{member.Address} is {name} {incarnation}; {member.NodeName} {member.Incarnation} was wanted.");
        await ChannelLines.WriteAsync(pipe.Output, ChannelLines.Request(service, ownName, ownIncarnation), cancellationToken);
        var answer = await ChannelLines.ReadAsync(pipe.Input, cancellationToken);
        if (!answer.StartsWith("250", StringComparison.Ordinal))
            throw new ClusterConnectionException(int.TryParse(answer.AsSpan(0, Math.Min(3, answer.Length)), out var code) ? code : 0, $"{member.NodeName} refuses {service}: {answer}");
    }

    public async ValueTask DisposeAsync()
    {
        await _pipe.Output.CompleteAsync();
        await _pipe.Input.CompleteAsync();
        await _stream.DisposeAsync();
    }
}
