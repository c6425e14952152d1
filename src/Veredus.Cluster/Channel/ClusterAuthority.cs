using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.Cluster;

/// <summary>The cluster's own certificate authority: made when the first machine is set up, kept there, and asked once for each member.</summary>
public sealed class ClusterAuthority : IDisposable
{
    private static readonly TimeSpan s_authorityLife = TimeSpan.FromDays(20 * 365), s_memberLife = TimeSpan.FromDays(5 * 365);
    /// <summary>Clocks of machines that are set up may be a little behind.</summary>
    private static readonly TimeSpan s_clockSlack = TimeSpan.FromHours(1);

    private readonly X509Certificate2 _withKey;

    private ClusterAuthority(X509Certificate2 withKey) => _withKey = withKey;

    /// <summary>Makes a new authority (ECDSA P-256).</summary>
    public static ClusterAuthority Create(string clusterName, TimeProvider time)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Name($"{clusterName} cluster"), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var now = time.GetUtcNow();
        return new(request.CreateSelfSigned(now - s_clockSlack, now + s_authorityLife));
    }

    /// <summary>Reads what <see cref="ExportPem"/> wrote.</summary>
    /// <exception cref="CryptographicException">The text is no certificate with its key.</exception>
    public static ClusterAuthority FromPem(string pem) => new(X509Certificate2.CreateFromPem(pem, pem));

    /// <summary>Certificate and private key. Whoever has it can make members: mode 0400.</summary>
    public string ExportPem() => $"{_withKey.ExportCertificatePem()}\n{Key(_withKey)}\n";

    /// <summary>A certificate for one member, good for both ends of a connection.</summary>
    public ClusterIdentity Issue(string nodeName, TimeProvider time)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = Sign(nodeName, new PublicKey(key), time);
        using var withKey = certificate.CopyWithPrivateKey(key);
        return ClusterIdentity.FromPem($"{certificate.ExportCertificatePem()}\n{Key(withKey)}", CertificatePem);
    }

    /// <summary>A certificate for a member that has made its key itself.</summary>
    /// <param name="publicKey">SubjectPublicKeyInfo of an ECDSA key on P-256.</param>
    /// <returns>The certificate, PEM.</returns>
    /// <exception cref="CryptographicException">It is no such key.</exception>
    public string IssuePem(string nodeName, ReadOnlySpan<byte> publicKey, TimeProvider time)
    {
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(publicKey, out _);
        if (key.KeySize != 256)
            throw new CryptographicException($"A key of {key.KeySize} bits; members have ECDSA keys on P-256.");
        using var certificate = Sign(nodeName, new PublicKey(key), time);
        return certificate.ExportCertificatePem();
    }

    /// <summary>The authority's certificate, without its key.</summary>
    public string CertificatePem => _withKey.ExportCertificatePem();

    private X509Certificate2 Sign(string nodeName, PublicKey key, TimeProvider time)
    {
        var request = new CertificateRequest(Name(nodeName), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new("1.3.6.1.5.5.7.3.1"), new("1.3.6.1.5.5.7.3.2")], false));
        var alternative = new SubjectAlternativeNameBuilder();
        alternative.AddDnsName(nodeName);
        request.CertificateExtensions.Add(alternative.Build());
        var now = time.GetUtcNow();
        return request.Create(_withKey, now - s_clockSlack, now + s_memberLife, RandomNumberGenerator.GetBytes(16));
    }

    public void Dispose() => _withKey.Dispose();

    private static X500DistinguishedName Name(string commonName)
    {
        var builder = new X500DistinguishedNameBuilder();
        builder.AddCommonName(commonName);
        return builder.Build();
    }

    private static string Key(X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPrivateKey()!;
        return key.ExportPkcs8PrivateKeyPem();
    }
}
