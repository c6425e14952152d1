using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.ConfigServer;

/// <summary>The server's self-signed certificate: made at first start, renewed with the same key, so pins of the key stay good.</summary>
public static class ServerCertificate
{
    private static readonly TimeSpan Validity = TimeSpan.FromDays(365);
    internal static readonly TimeSpan RenewBefore = TimeSpan.FromDays(30);

    /// <summary>Loads <c>server.pem</c> and <c>server.key</c> of a directory; makes or renews what is missing or ends within 30 days.</summary>
    /// <param name="names">Host names and addresses that clients use.</param>
    public static X509Certificate2 LoadOrCreate(string directory, IReadOnlyList<string> names, DateTimeOffset now)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var (certificateFile, keyFile) = (Path.Combine(directory, "server.pem"), Path.Combine(directory, "server.key"));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(keyFile))
            key.ImportFromPem(File.ReadAllText(keyFile));
        else
            AtomicFile.Write(keyFile, System.Text.Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()));
        if (File.Exists(certificateFile))
        {
            using var present = X509Certificate2.CreateFromPem(File.ReadAllText(certificateFile));
            if (present.NotAfter.ToUniversalTime() - now.UtcDateTime > RenewBefore || present.Subject != present.Issuer)
                return WithKey(present, key);
        }
        using var made = Create(key, names, now);
        AtomicFile.Write(certificateFile, System.Text.Encoding.ASCII.GetBytes(made.ExportCertificatePem()),
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        return WithKey(made, key);
    }

    internal static X509Certificate2 Create(ECDsa key, IReadOnlyList<string> names, DateTimeOffset now, TimeSpan? validity = null)
    {
        var request = new CertificateRequest($"CN={names[0]}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
        {
            if (IPAddress.TryParse(name, out var address))
                alternatives.AddIpAddress(address);
            else
                alternatives.AddDnsName(name);
        }
        request.CertificateExtensions.Add(alternatives.Build());
        // Two hosts' clocks may differ by hours and still talk.
        var from = now - TimeSpan.FromDays(1);
        return request.CreateSelfSigned(from, from + (validity ?? Validity));
    }

    private static X509Certificate2 WithKey(X509Certificate2 certificate, ECDsa key)
    {
        using var both = certificate.HasPrivateKey ? new X509Certificate2(certificate) : certificate.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(both.Export(X509ContentType.Pkcs12), null);
    }
}
