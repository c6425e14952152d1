using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text.Json;

namespace Veredus.Cluster;

/// <summary>
/// Waits for the one machine that a token lets in. Serves while it exists: the token is worth nothing before and after.
/// The server proves itself by the certificate whose hash is in the token, the client by the secret.
/// </summary>
public sealed class JoinServer : IDisposable
{
    private const int MaxWrong = 10;
    private static readonly TimeSpan s_talk = TimeSpan.FromSeconds(20);

    private readonly Socket _socket;
    private readonly ClusterIdentity _identity;
    private readonly TimeProvider _time;
    private readonly Action<EndPoint?, string> _report;

    /// <param name="listen">Where to wait; port 0: the system's choice.</param>
    /// <param name="reachable">The address that the other machine asks at.</param>
    /// <param name="report">Told of each caller that got nothing, with why.</param>
    /// <exception cref="SocketException">The port cannot be had.</exception>
    public JoinServer(IPEndPoint listen, IPAddress reachable, ClusterIdentity identity, TimeSpan life, TimeProvider time, Action<EndPoint?, string> report)
    {
        (_identity, _time, _report) = (identity, time, report);
        _socket = new(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            _socket.Bind(listen);
            _socket.Listen(8);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
        Token = JoinToken.Create(new(reachable, ((IPEndPoint)_socket.LocalEndPoint!).Port), time.GetUtcNow() + life, identity.CertificateHash());
    }

    public JoinToken Token { get; }

    /// <summary>Waits until the token was used.</summary>
    /// <param name="grant">Makes the answer to a caller with the right secret. An answer with an error leaves the token good.</param>
    /// <returns>Who joined.</returns>
    /// <exception cref="IOException">The token ran out, or somebody tried wrong ones.</exception>
    public async Task<JoinRequest> WaitAsync(Func<JoinRequest, JoinGrant> grant, CancellationToken cancellationToken)
    {
        using var expiry = new CancellationTokenSource(Token.Expires > _time.GetUtcNow() ? Token.Expires - _time.GetUtcNow() : TimeSpan.Zero, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, cancellationToken);
        try
        {
            for (var wrong = 0; wrong < MaxWrong;)
            {
                using var connection = await _socket.AcceptAsync(either.Token);
                var (request, isWrong) = await ServeAsync(connection, grant, either.Token);
                if (request is not null)
                    return request;
                wrong += isWrong ? 1 : 0;
            }
        }
        catch (OperationCanceledException) when (expiry.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new IOException("The token has expired unused.");
        }
        throw new IOException($"{MaxWrong} callers had a wrong secret; the token is withdrawn.");
    }

    private async Task<(JoinRequest? Joined, bool IsWrong)> ServeAsync(Socket connection, Func<JoinRequest, JoinGrant> grant, CancellationToken cancellationToken)
    {
        var remote = connection.RemoteEndPoint;
        using var talk = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        talk.CancelAfter(s_talk);
        try
        {
            await using var stream = new SslStream(new NetworkStream(connection));
            await stream.AuthenticateAsServerAsync(_identity.JoinOptions(), talk.Token);
            var request = JsonSerializer.Deserialize(await JoinWire.ReadAsync(stream, talk.Token), JoinJson.Default.JoinRequest);
            var isRight = request is { Secret: not null, Node: not null, Addresses: not null, Key: not null } && Token.Matches(request.Secret);
            var answer = !isRight ? new() { Error = "this is not the token's secret" }
                : _time.GetUtcNow() >= Token.Expires ? new() { Error = "the token has expired" }
                : grant(request!);
            await JoinWire.WriteAsync(stream, JsonSerializer.SerializeToUtf8Bytes(answer, JoinJson.Default.JoinGrant), talk.Token);
            if (answer.Error.Length == 0)
                return (request, false);
            _report(remote, answer.Error);
            return (null, !isRight);
        }
        catch (Exception failure) when (failure is IOException or AuthenticationException or JsonException or SocketException)
        {
            _report(remote, failure.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            _report(remote, "said nothing in time");
        }
        return (null, false);
    }

    public void Dispose() => _socket.Dispose();
}
