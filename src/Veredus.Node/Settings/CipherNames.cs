using System.Net.Security;

namespace Veredus.Node.Settings;

/// <summary>Reads <c>tls_ciphers</c>: OpenSSL's names of cipher suites.</summary>
internal static class CipherNames
{
    private static readonly Dictionary<string, TlsCipherSuite> Suites = new(StringComparer.OrdinalIgnoreCase)
    {
        ["TLS_AES_128_GCM_SHA256"] = TlsCipherSuite.TLS_AES_128_GCM_SHA256,
        ["TLS_AES_256_GCM_SHA384"] = TlsCipherSuite.TLS_AES_256_GCM_SHA384,
        ["TLS_CHACHA20_POLY1305_SHA256"] = TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
        ["ECDHE-ECDSA-AES128-GCM-SHA256"] = TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ["ECDHE-RSA-AES128-GCM-SHA256"] = TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ["ECDHE-ECDSA-AES256-GCM-SHA384"] = TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ["ECDHE-RSA-AES256-GCM-SHA384"] = TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ["ECDHE-ECDSA-CHACHA20-POLY1305"] = TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ["ECDHE-RSA-CHACHA20-POLY1305"] = TlsCipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ["ECDHE-ECDSA-AES128-SHA256"] = TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
        ["ECDHE-RSA-AES128-SHA256"] = TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
        ["ECDHE-ECDSA-AES256-SHA384"] = TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
        ["ECDHE-RSA-AES256-SHA384"] = TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
        ["ECDHE-RSA-AES128-SHA"] = TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
        ["ECDHE-RSA-AES256-SHA"] = TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
        ["AES128-GCM-SHA256"] = TlsCipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256,
        ["AES256-GCM-SHA384"] = TlsCipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384,
    };

    /// <summary><c>DEFAULT</c> leaves the choice to the platform; otherwise the suites named, in that order, and those of TLS 1.3.</summary>
    /// <exception cref="ArgumentException">A word is not the name of a suite.</exception>
    public static CipherSuitesPolicy? Policy(string list)
    {
        var names = list.Split([':', ',', ' '], StringSplitOptions.RemoveEmptyEntries);
        if (names is [] or ["DEFAULT"])
            return null;
        var suites = new List<TlsCipherSuite>();
        foreach (var name in names)
        {
            if (!Suites.TryGetValue(name, out var suite))
                throw new ArgumentException($"'{name}' is not known; use DEFAULT or names such as ECDHE-RSA-AES256-GCM-SHA384, separated by colons.");
            suites.Add(suite);
        }

        // TLS 1.3 has its own suites, which OpenSSL's list does not touch either.
        suites.AddRange(Suites.Values.Take(3).Except(suites));
#pragma warning disable CA1416 // Linux only
        return new(suites);
#pragma warning restore CA1416
    }
}
