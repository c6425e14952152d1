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

    /// <summary>All servers whose keys are pinned here.</summary>
    public IEnumerable<(string Host, int Port)> All() => !System.IO.Directory.Exists(Directory) ? [] : System.IO.Directory.EnumerateFiles(Directory, "*.pem")
        .Select(file => ServerAccess.HostAndPort(Path.GetFileNameWithoutExtension(file))).Order();

    /// <summary>Pins those servers that a trusted one names and that are new here.</summary>
    public async Task LearnAsync(ConfigClient trusted, IEnumerable<string> servers, CancellationToken cancellationToken)
    {
        if (servers.Select(ServerAccess.HostAndPort).All(server => File.Exists(FileOf(server.Host, server.Port))))
            return;
        foreach (var server in (await trusted.StatusAsync(cancellationToken)).Servers)
            Learn(server);
    }

    /// <summary>Pins what a trusted server says of another: one that is new here, or a renewed certificate with the key that is pinned already.</summary>
    public void Learn(ServerInfo server)
    {
        var file = FileOf(server.Host, server.Port);
        if (!File.Exists(file) || (File.ReadAllText(file) is var pinned && pinned.Trim() != server.Certificate.Trim() && HasSameKey(pinned, server.Certificate)))
            Pin(server.Host, server.Port, server.Certificate);
    }

    private static bool HasSameKey(string left, string right)
    {
        try
        {
            using var one = X509Certificate2.CreateFromPem(left);
            using var other = X509Certificate2.CreateFromPem(right);
            return Fingerprint(one) == Fingerprint(other);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

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

/// <summary>Speaks to a server's control API. The server's key is pinned, or authorities are trusted.</summary>
public sealed class ConfigClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly string _host;
    private readonly TimeProvider _time;
    private readonly Func<X509Certificate2, SslPolicyErrors, bool> _trusts;
    private bool _isExpired;

    /// <param name="pinnedPem">The server's certificate; its key counts, names say nothing here.</param>
    /// <param name="pinFile">Where the pin lies: it follows when the server shows a new certificate with the same key.</param>
    public ConfigClient(string host, int port, string user, string password, string pinnedPem, TimeProvider? time = null, string? pinFile = null) : this(host, port, user, password, time)
    {
        using var pinned = X509Certificate2.CreateFromPem(pinnedPem);
        var key = pinned.PublicKey.ExportSubjectPublicKeyInfo();
        _trusts = (certificate, _) =>
        {
            if (!certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key))
                return false;
            if (pinFile is not null && certificate.ExportCertificatePem().Trim() != pinnedPem.Trim())
                AtomicFile.Write(pinFile, Encoding.ASCII.GetBytes(certificate.ExportCertificatePem()));
            return true;
        };
    }

    private ConfigClient(string host, int port, string user, string password, TimeProvider? time)
    {
        (_host, _time, _trusts) = ($"{host}:{port}", time ?? TimeProvider.System, (_, _) => false);
        _http = new(new SocketsHttpHandler
        {
            UseProxy = false, AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(10),
            SslOptions = new() { RemoteCertificateValidationCallback = (_, certificate, _, errors) => certificate is not null && Trusts(new X509Certificate2(certificate), errors) },
        })
        { BaseAddress = new($"https://{host}:{port}/"), Timeout = TimeSpan.FromSeconds(120) };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
    }

    private ConfigClient(string host, int port, string user, string password, X509Certificate2Collection authorities, TimeProvider? time) : this(host, port, user, password, time) =>
        _trusts = (certificate, errors) =>
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.VerificationTime = _time.GetUtcNow().UtcDateTime;
            return !errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) && chain.Build(certificate);
        };

    /// <summary>Trusts the authorities in a file, as <c>--ca</c> says.</summary>
    /// <exception cref="EccfgException">The file has no certificate.</exception>
    public static ConfigClient ByAuthority(string host, int port, string user, string password, string file, TimeProvider time)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new EccfgException(EccfgExit.Usage, $"--ca {file}: {exception.Message}");
        }
        return authorities.Count > 0 ? new(host, port, user, password, authorities, time) : throw new EccfgException(EccfgExit.Usage, $"--ca {file}: there is no certificate in it");
    }

    private bool Trusts(X509Certificate2 certificate, SslPolicyErrors errors)
    {
        if (!_trusts(certificate, errors))
            return false;
        _isExpired = certificate.NotAfter.ToUniversalTime() < _time.GetUtcNow().UtcDateTime;
        return !_isExpired;
    }

    /// <summary>Where the repositories of a subcluster stand; quick.</summary>
    public async Task<RepositoryHeads> HeadsAsync(string subcluster, CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize(await SendAsync(HttpMethod.Get, $"api/v1/heads?repository={Uri.EscapeDataString(subcluster)}", cancellationToken), ControlJson.Default.RepositoryHeads) ?? throw new EccfgException($"{_host} answered with nothing.");

    /// <summary>The password of <c>ecuser</c>, for unattended pulls; for those who may write everything.</summary>
    public async Task<string> ServicePasswordAsync(CancellationToken cancellationToken) => (await SendAsync(HttpMethod.Get, "api/v1/service", cancellationToken)).Trim();

    /// <summary>The servers' file of users, for a server that joins; for those who may write everything.</summary>
    public Task<string> UsersAsync(CancellationToken cancellationToken) => SendAsync(HttpMethod.Get, "api/v1/users", cancellationToken);

    /// <summary>Waits until all nodes that follow a subcluster run a commit or say why they don't; at most ten seconds.</summary>
    public async Task<IReadOnlyList<FollowState>> FollowedAsync(string subcluster, string repository, string commit, CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize(await SendAsync(HttpMethod.Get, $"api/v1/followed?repository={Uri.EscapeDataString(subcluster)}&part={Uri.EscapeDataString(repository)}&commit={commit}", cancellationToken), ControlJson.Default.IReadOnlyListFollowState) ?? [];

    public async Task<ServerStatus> StatusAsync(CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize(await SendAsync(HttpMethod.Get, "api/v1/status", cancellationToken), ControlJson.Default.ServerStatus) ?? throw new EccfgException($"{_host} answered with nothing.");

    /// <summary>Servers that are present and do not have a commit yet; waits for the first, at most five seconds.</summary>
    public async Task<IReadOnlyList<string>> PendingAsync(string repository, CommitId commit, CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize(await SendAsync(HttpMethod.Get, $"api/v1/pending?repository={repository}&commit={commit}", cancellationToken), ControlJson.Default.PendingServers)?.Pending ?? [];

    /// <summary>Asks every node what a commit would do there; it was pushed as a candidate to this server.</summary>
    public async Task<PlanAnswers> PlanAsync(string repository, CommitId commit, CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize(await SendAsync(HttpMethod.Post, $"api/v1/plan?repository={Uri.EscapeDataString(repository)}&commit={commit}", cancellationToken), PlanJson.Default.PlanAnswers) ?? throw new EccfgException($"{_host} answered with nothing.");

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
                HttpStatusCode.ServiceUnavailable => EccfgExit.Unreachable,
                HttpStatusCode.BadRequest => EccfgExit.Usage,
                _ => EccfgExit.Failed,
            }, text.Trim());
        }
        catch (HttpRequestException exception)
        {
            throw _isExpired ? new UntrustedServerException($"server certificate expired (host {_host})")
                : exception.HttpRequestError == HttpRequestError.SecureConnectionError
                    ? new UntrustedServerException($"{_host} does not have the key that was pinned (or --ca trusts); if its key was replaced, remove its file in known_servers")
                    : new EccfgException(EccfgExit.Unreachable, $"{_host} can't be reached: {exception.Message}");
        }
        catch (TaskCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EccfgException(EccfgExit.Unreachable, $"{_host} does not answer: {exception.Message}");
        }
    }

    public void Dispose() => _http.Dispose();
}
