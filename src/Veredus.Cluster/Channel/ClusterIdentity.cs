using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.Cluster;

/// <summary>A member's certificate with its key, and the authority that it and all others come from. Both ends of a connection show theirs.</summary>
public sealed class ClusterIdentity : IDisposable
{
    private readonly X509Certificate2 _own, _authority;

    private ClusterIdentity(X509Certificate2 own, X509Certificate2 authority) => (_own, _authority) = (own, authority);

    /// <param name="ownPem">Certificate and private key.</param>
    /// <param name="authorityPem">The authority's certificate.</param>
    /// <exception cref="System.Security.Cryptography.CryptographicException">One of them is no such thing.</exception>
    public static ClusterIdentity FromPem(string ownPem, string authorityPem) =>
        new(X509Certificate2.CreateFromPem(ownPem, ownPem), X509Certificate2.CreateFromPem(authorityPem));

    /// <summary>The node name that the certificate is for.</summary>
    public string NodeName => NameOf(_own);

    /// <summary>Certificate and key, for the member's file: mode 0400.</summary>
    public string ExportPem()
    {
        using var key = _own.GetECDsaPrivateKey()!;
        return $"{_own.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n";
    }

    public string ExportAuthorityPem() => _authority.ExportCertificatePem();

    /// <summary>The node name that a peer has proved; <see langword="null"/> without a certificate.</summary>
    public static string? NameOfPeer(SslStream stream) => stream.RemoteCertificate is X509Certificate2 certificate ? NameOf(certificate) : null;

    internal SslServerAuthenticationOptions ServerOptions() => new()
    {
        ServerCertificateContext = SslStreamCertificateContext.Create(_own, null, offline: true),
        ClientCertificateRequired = true,
        EnabledSslProtocols = SslProtocols.Tls13,
        RemoteCertificateValidationCallback = (_, certificate, _, _) => IsMember(certificate),
    };

    /// <summary>SHA-256 of the own certificate: what a join token names.</summary>
    public byte[] CertificateHash() => _own.GetCertHash(System.Security.Cryptography.HashAlgorithmName.SHA256);

    /// <summary>For machines that are no members yet: they know this certificate from their token, and show none.</summary>
    internal SslServerAuthenticationOptions JoinOptions() => new()
    {
        ServerCertificateContext = SslStreamCertificateContext.Create(_own, null, offline: true),
        EnabledSslProtocols = SslProtocols.Tls13,
    };

    /// <param name="nodeName">Whom the other end must prove to be.</param>
    internal SslClientAuthenticationOptions ClientOptions(string nodeName) => new()
    {
        TargetHost = nodeName,
        ClientCertificateContext = SslStreamCertificateContext.Create(_own, null, offline: true),
        EnabledSslProtocols = SslProtocols.Tls13,
        RemoteCertificateValidationCallback = (_, certificate, _, _) => IsMember(certificate) && NameOf((X509Certificate2)certificate!) == nodeName,
    };

    private bool IsMember(X509Certificate? certificate)
    {
        if (certificate is not X509Certificate2 presented)
            return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(_authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;  // a member is put out by its absence from the membership
        chain.ChainPolicy.DisableCertificateDownloads = true;
        return chain.Build(presented);
    }

    private static string NameOf(X509Certificate2 certificate) => certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false);

    public void Dispose()
    {
        _own.Dispose();
        _authority.Dispose();
    }
}
