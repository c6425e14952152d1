using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Veredus.Smtp;

namespace Veredus.Delivery;

/// <summary>Certificates and trust stores for outbound TLS, read once and again when a file changes.</summary>
internal sealed class TlsMaterial(IDeliveryObserver observer)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TlsPolicy, (DateTime Stamp, SmtpClientTls? Tls)> _known = [];

    /// <summary>Settings for one host; <see langword="null"/>: the files can't be used, and the operator has been told.</summary>
    public SmtpClientTls? For(TlsPolicy policy, string host, string domain)
    {
        var tls = Load(policy);
        return tls is null ? null : tls with { ServerName = host, OtherNames = [domain] };
    }

    /// <summary>Forgets everything read (<c>tls flush cache</c>).</summary>
    public void Flush()
    {
        lock (_gate)
            _known.Clear();
    }

    private SmtpClientTls? Load(TlsPolicy policy)
    {
        lock (_gate)
        {
            try
            {
                var stamp = Stamp(policy);
                if (_known.TryGetValue(policy, out var known) && known.Stamp == stamp)
                    return known.Tls;
                var tls = Read(policy);
                _known[policy] = (stamp, tls);
                return tls;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException)
            {
                observer.Notice(DeliveryNotice.TlsMaterial, $"outbound TLS with '{policy.CertificateFile}', '{policy.KeyFile}', '{policy.CaFile}': {error.Message}");
                return null;
            }
        }
    }

    private static DateTime Stamp(TlsPolicy policy)
    {
        var latest = DateTime.MinValue;
        foreach (var file in (ReadOnlySpan<string>)[policy.CaFile, policy.CertificateFile, policy.KeyFile])
            if (file.Length > 0 && File.GetLastWriteTimeUtc(file) is var written && written > latest)
                latest = written;
        return latest;
    }

    private static SmtpClientTls Read(TlsPolicy policy)
    {
        X509Certificate2Collection? roots = null;
        if (policy.CaFile.Length > 0)
        {
            roots = [];
            roots.ImportFromPemFile(policy.CaFile);
        }
        SslStreamCertificateContext? own = null;
        if (policy.CertificateFile.Length > 0)
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(policy.CertificateFile);
            own = SslStreamCertificateContext.Create(
                X509Certificate2.CreateFromPemFile(policy.CertificateFile, policy.KeyFile.Length > 0 ? policy.KeyFile : null), chain, offline: true);
        }
        return new("") { Verify = policy.Verify, TrustedRoots = roots, ClientCertificate = own, Protocols = policy.Protocols };
    }
}
