using System.Net;
using Veredus.Smtp;

namespace Veredus.Reception.Policy;

/// <summary>Why a recipient is accepted, or that it is not.</summary>
public enum RelayReason
{
    /// <summary>550 5.7.1 relaying denied.</summary>
    Denied,

    /// <summary>The session may relay anywhere.</summary>
    SessionMayRelay,

    /// <summary>The recipient's domain is one of ours.</summary>
    RecipientDomain,

    /// <summary>The sender's domain is one that we relay for.</summary>
    SendingDomain,

    /// <summary>The bare postmaster of this host.</summary>
    Postmaster,
}

/// <param name="Recipient">The recipient with its domain completed.</param>
public readonly record struct RelayVerdict(RelayReason Reason, EnvelopeAddress Recipient)
{
    public bool IsAccepted => Reason != RelayReason.Denied;
}

/// <summary>Decides whether mail for a recipient is taken (mta.md 2.4).</summary>
public static class RelayDecision
{
    private const string Postmaster = "postmaster";

    /// <param name="policy">What holds for the client.</param>
    /// <param name="mayRelay">Address, authentication, certificate or policy already allowed the session to relay anywhere.</param>
    /// <param name="sender">The envelope sender, completed.</param>
    /// <param name="recipient">As the client gave it; it may lack its domain.</param>
    public static RelayVerdict Decide(InboundPolicy policy, bool mayRelay, EnvelopeAddress sender, EnvelopeAddress recipient)
    {
        var completed = recipient;
        if (!recipient.IsQualified)
        {
            if (policy.RecipientDomain is { } domain)
                completed = new($"{recipient.Value}@{domain}");
            else if (recipient.Value.Equals(Postmaster, StringComparison.OrdinalIgnoreCase))
                return new(RelayReason.Postmaster, new($"{recipient.Value}@{policy.Hostname}"));
        }

        if (mayRelay)
            return new(RelayReason.SessionMayRelay, completed);
        var recipientDomain = completed.Domain.ToString();
        if (recipientDomain.Length > 0 && (policy.RelayDomains.Matches(recipientDomain) || policy.BounceDomains.Matches(recipientDomain)))
            return new(RelayReason.RecipientDomain, completed);
        if (!policy.RelayForSendingDomains.IsEmpty && !sender.Domain.IsEmpty && policy.RelayForSendingDomains.Matches(sender.Domain.ToString()))
            return new(RelayReason.SendingDomain, completed);
        return new(RelayReason.Denied, completed);
    }

    /// <summary>Whether the client's address alone allows it to relay anywhere.</summary>
    public static bool AddressMayRelay(InboundPolicy policy, IPAddress address) => policy.OpenRelay || policy.RelayHosts.Contains(address);
}
