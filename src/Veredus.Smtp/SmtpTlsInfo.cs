using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.Smtp;

/// <summary>What a TLS handshake agreed on.</summary>
/// <param name="PeerCertificate">The peer's certificate, if it sent one. Owned by the session.</param>
/// <param name="PeerVerified">It was checked, and chains to a trusted root (and fits the name, where one was asked for).</param>
/// <param name="PeerProblem">Why it isn't verified, for logs; "" otherwise.</param>
public sealed record SmtpTlsInfo(
    SslProtocols Protocol, TlsCipherSuite Cipher, X509Certificate2? PeerCertificate, bool PeerVerified, string PeerProblem);
