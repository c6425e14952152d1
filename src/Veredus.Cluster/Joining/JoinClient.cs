using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Veredus.Cluster;

/// <summary>What the joining machine got.</summary>
/// <param name="Identity">Its certificate with the key that it made itself.</param>
/// <param name="Grant">The rest.</param>
public sealed record Joined(ClusterIdentity Identity, JoinGrant Grant);

/// <summary>The machine that joins.</summary>
public static class JoinClient
{
    /// <summary>Makes a key, shows the token, and gets a certificate and the cluster's secrets. Writes nothing.</summary>
    /// <param name="node">Its node name.</param>
    /// <param name="addresses">Its addresses on the bus' links.</param>
    /// <exception cref="IOException">Nobody is there, somebody else is, or it refuses; says which.</exception>
    public static async Task<Joined> JoinAsync(JoinToken token, string node, IReadOnlyList<string> addresses, TimeProvider time, CancellationToken cancellationToken)
    {
        if (time.GetUtcNow() >= token.Expires)
            throw new IOException($"The token has expired at {token.Expires:yyyy-MM-dd HH:mm:ss}Z. Make another: veredus node token create");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new JoinRequest(token.Secret, node, addresses, Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()));
        JoinGrant? grant;
        try
        {
            using var socket = new Socket(token.Server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(token.Server, cancellationToken);
            await using var stream = new SslStream(new NetworkStream(socket));
            await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "",
                EnabledSslProtocols = SslProtocols.Tls13,
                RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                    certificate is not null && certificate.GetCertHash(HashAlgorithmName.SHA256).AsSpan().SequenceEqual(token.Fingerprint),
            }, cancellationToken);
            await JoinWire.WriteAsync(stream, JsonSerializer.SerializeToUtf8Bytes(request, JoinJson.Default.JoinRequest), cancellationToken);
            grant = JsonSerializer.Deserialize(await JoinWire.ReadAsync(stream, cancellationToken), JoinJson.Default.JoinGrant);
        }
        catch (SocketException e)
        {
            throw new IOException($"Nobody answers at {token.Server}: {e.Message}. 'veredus node token create' must still be waiting there.", e);
        }
        catch (AuthenticationException e)
        {
            throw new IOException($"Whoever answers at {token.Server} is not the one that made the token (its certificate is another).", e);
        }
        catch (JsonException e)
        {
            throw new IOException($"The answer from {token.Server} cannot be read: {e.Message}", e);
        }
        if (grant is not { Error: "" })
            throw new IOException($"{token.Server} refuses: {grant?.Error ?? "no answer"}");
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(grant.Certificate);
            using var withKey = certificate.CopyWithPrivateKey(key);
            return new(ClusterIdentity.FromPem($"{grant.Certificate}\n{key.ExportPkcs8PrivateKeyPem()}", grant.Authority), grant);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new IOException($"The certificate from {token.Server} is not for this machine's key: {e.Message}", e);
        }
    }
}
