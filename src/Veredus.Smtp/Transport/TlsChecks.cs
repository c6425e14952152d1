using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.Smtp;

/// <summary>Judging certificates, the same for both sides.</summary>
internal static class TlsChecks
{
    /// <param name="roots"><see langword="null"/>: the system store.</param>
    public static X509ChainPolicy ChainPolicy(X509Certificate2Collection? roots)
    {
        // Revocation lists are fetched over the network, and their servers must not decide whether mail flows.
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck };
        if (roots is not null)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(roots);
        }

        return policy;
    }

    /// <summary>What is wrong with the chain, for logs; "" when nothing is. The name is judged elsewhere.</summary>
    public static string Describe(SslPolicyErrors errors) =>
        (errors & SslPolicyErrors.RemoteCertificateNotAvailable) != 0 ? "no certificate sent"
        : (errors & SslPolicyErrors.RemoteCertificateChainErrors) != 0 ? "certificate not signed by a trusted CA"
        : "";
}
