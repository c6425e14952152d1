using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.ConfigServer;

/// <summary>
/// The certificate that a running server shows. Twice a day it looks at its files: a self-signed certificate is renewed 30 days before it ends, and
/// one that an operator has put there is taken up. Connections made before go on with the old one.
/// </summary>
internal sealed class CertificateKeeper : IAsyncDisposable
{
    internal static readonly TimeSpan Period = TimeSpan.FromHours(12);
    private readonly string _directory;
    private readonly IReadOnlyList<string> _names;
    private readonly TimeProvider _time;
    private readonly Action<string> _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<X509Certificate2> _shown = [];
    private readonly Task _running;
    private volatile SslStreamCertificateContext _current;

    /// <param name="directory">Holds <c>server.pem</c> and <c>server.key</c>.</param>
    /// <param name="names">Host names and addresses that clients use.</param>
    public CertificateKeeper(string directory, IReadOnlyList<string> names, TimeProvider time, Action<string> log)
    {
        (_directory, _names, _time, _log) = (directory, names, time, log);
        _current = Show(ServerCertificate.LoadOrCreate(directory, names, time.GetUtcNow()));
        WarnOfEnd();
        _running = Task.Run(LoopAsync);
    }

    /// <summary>PEM; what clients pin.</summary>
    public string Pem => _current.TargetCertificate.ExportCertificatePem();

    /// <summary>What TLS shows from now on.</summary>
    public SslStreamCertificateContext Context => _current;

    /// <summary>Another certificate is shown; its PEM.</summary>
    public event Action<string>? Changed;

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(Period, _time, _stop.Token);
                Look();
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private void Look()
    {
        try
        {
            var found = ServerCertificate.LoadOrCreate(_directory, _names, _time.GetUtcNow());
            if (found.Thumbprint == _current.TargetCertificate.Thumbprint)
            {
                found.Dispose();
                WarnOfEnd();
                return;
            }
            _current = Show(found);
            _log($"configd: the certificate is a new one, until {End(found)}, key {KnownServers.Fingerprint(found)}");
            Changed?.Invoke(Pem);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            _log($"configd: the files in {_directory} can't be used, the old certificate stays until {End(_current.TargetCertificate)}: {exception.Message}");
        }
    }

    /// <summary>One that is not self-signed is the operator's to renew.</summary>
    private void WarnOfEnd()
    {
        var certificate = _current.TargetCertificate;
        if (certificate.NotAfter.ToUniversalTime() - _time.GetUtcNow().UtcDateTime <= ServerCertificate.RenewBefore)
            _log($"configd: the certificate ends {End(certificate)} and is not self-signed: put its successor into {_directory} (server.pem, server.key); it is taken up within {Period.TotalHours:0} hours");
    }

    private static string End(X509Certificate2 certificate) => $"{certificate.NotAfter.ToUniversalTime():yyyy-MM-dd HH:mm}Z";

    private SslStreamCertificateContext Show(X509Certificate2 certificate)
    {
        _shown.Add(certificate);
        return SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _shown.ForEach(certificate => certificate.Dispose());
        _stop.Dispose();
    }
}
