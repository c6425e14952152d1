using System.Net;

namespace Veredus.Reception.Content;

/// <summary>What the headers that are added at reception say (`Received`, `Date`, `Message-ID`).</summary>
/// <param name="Client">The client; <see langword="null"/> for a Unix socket.</param>
/// <param name="Helo">Its EHLO or HELO name; empty when it gave none.</param>
/// <param name="Hostname">Our name in the Received line (<c>received_hostname</c>).</param>
/// <param name="Sender">Envelope sender without angle brackets; empty for the null sender.</param>
/// <param name="Protocol">The RFC 3848 keyword: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, UTF8SMTP..., LMTP.</param>
/// <param name="Id">Batch ID, <c>XX/YY-PPPPP-SSSSSSSS</c>.</param>
/// <param name="IdHostname">Right side of a generated Message-ID.</param>
/// <param name="Received">Time of reception.</param>
public sealed record TraceFacts(
    IPEndPoint? Client, string Helo, string Hostname, string Sender, string Protocol, string Id, string IdHostname, DateTimeOffset Received);
