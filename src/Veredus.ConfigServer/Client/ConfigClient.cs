using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Veredus.ConfigServer;

/// <summary>The pinned certificates of servers, in <c>ETC/.eccfg/known_servers</c>.</summary>
public sealed class KnownServers(string etc)
{
    private string Directory => Path.Combine(etc, ".eccfg", "known_servers");

    public string FileOf(string host, int port) => Path.Combine(Directory, $"{host.Replace('/', '_')}:{port}.pem");

    /// <summary>Pins a certificate that came by a way that can be trusted.</summary>
    public string Pin(string host, int port, string pem)
    {
        System.IO.Directory.CreateDirectory(Directory);
        AtomicFile.Write(FileOf(host, port), Encoding.ASCII.GetBytes(pem));
        return FileOf(host, port);
    }

    /// <summary>Trusts a server at first sight, as ssh does; the fingerprint is for comparing.</summary>
    public async Task<string> PinFirstAsync(string host, int port, CancellationToken cancellationToken)
    {
        if (File.Exists(FileOf(host, port)))
            return Fingerprint(X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(FileOf(host, port), cancellationToken)));
        X509Certificate2? seen = null;
        try
        {
            using var connection = new TcpClient();
            await connection.ConnectAsync(host, port, cancellationToken);
            await using var tls = new SslStream(connection.GetStream());
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = host,
                RemoteCertificateValidationCallback = (_, certificate, _, _) => (seen = certificate is null ? null : new X509Certificate2(certificate)) is not null,
            }, cancellationToken);
        }
        catch (Exception exception) when (exception is SocketException or IOException or System.Security.Authentication.AuthenticationException)
        {
            throw new EccfgException(EccfgExit.Unreachable, $"{host}:{port} can't be reached: {exception.Message}");
        }
        Pin(host, port, seen!.ExportCertificatePem());
        return Fingerprint(seen);
    }

    public static string Fingerprint(X509Certificate2 certificate) => "SHA256:" + Convert.ToBase64String(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo())).TrimEnd('=');
}

/// <summary>Speaks to a server's control API. The server's key is pinned; names and authorities say nothing here.</summary>
public sealed class ConfigClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly string _host;
    private bool _isExpired;

    public ConfigClient(string host, int port, string user, string password, string pinnedPem, TimeProvider? time = null)
    {
        _host = $"{host}:{port}";
        using var pinned = X509Certificate2.CreateFromPem(pinnedPem);
        var key = pinned.PublicKey.ExportSubjectPublicKeyInfo();
        _http = new(new SocketsHttpHandler
        {
            UseProxy = false, AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(10),
            SslOptions = new()
            {
                RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                {
                    if (certificate is null || !new X509Certificate2(certificate).PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key))
                        return false;
                    _isExpired = new X509Certificate2(certificate).NotAfter.ToUniversalTime() < (time ?? TimeProvider.System).GetUtcNow().UtcDateTime;
                    return !_isExpired;
                },
            },
        })
        { BaseAddress = new($"https://{host}:{port}/"), Timeout = TimeSpan.FromSeconds(60) };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
    }

    public async Task<ServerStatus> StatusAsync(CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize(await SendAsync(HttpMethod.Get, "api/v1/status", cancellationToken), ControlJson.Default.ServerStatus) ?? throw new EccfgException($"{_host} answered with nothing.");

    /// <summary>Servers that are present and do not have a commit yet; waits for the first, at most five seconds.</summary>
    public async Task<IReadOnlyList<string>> PendingAsync(string repository, CommitId commit, CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize(await SendAsync(HttpMethod.Get, $"api/v1/pending?repository={repository}&commit={commit}", cancellationToken), ControlJson.Default.PendingServers)?.Pending ?? [];

    /// <summary>create, copy (from), override, resume, resolve (node), conflict.</summary>
    public async Task<string> ActAsync(string what, string repository, CancellationToken cancellationToken, string node = "", string from = "") =>
        (await SendAsync(HttpMethod.Post, $"api/v1/{what}?repository={Uri.EscapeDataString(repository)}&node={Uri.EscapeDataString(node)}&from={Uri.EscapeDataString(from)}", cancellationToken)).Trim();

    private async Task<string> SendAsync(HttpMethod method, string path, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path);
            using var response = await _http.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            return response.IsSuccessStatusCode ? text : throw new EccfgException(response.StatusCode switch
            {
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.TooManyRequests => EccfgExit.NotAllowed,
                HttpStatusCode.Conflict => EccfgExit.Conflict,
                HttpStatusCode.BadRequest => EccfgExit.Usage,
                _ => EccfgExit.Failed,
            }, text.Trim());
        }
        catch (HttpRequestException exception)
        {
            throw new EccfgException(EccfgExit.Unreachable, _isExpired ? $"server certificate expired (host {_host})"
                : exception.HttpRequestError == HttpRequestError.SecureConnectionError ? $"{_host} does not have the key that was pinned; if its key was replaced, remove its file in known_servers" : $"{_host} can't be reached: {exception.Message}");
        }
    }

    public void Dispose() => _http.Dispose();
}
