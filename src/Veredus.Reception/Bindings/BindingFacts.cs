using System.Net;
using Veredus.Configuration;
using Veredus.Spool;

namespace Veredus.Reception.Bindings;

/// <summary>What binding rules look at. Everything comes from the envelope, so that the question can be asked again later.</summary>
/// <param name="Sender">Envelope sender, empty for the null sender.</param>
/// <param name="RecipientDomain">In lower case.</param>
/// <param name="Client">The client; <see langword="null"/> for a message made here.</param>
/// <param name="Connection">Connection context with the keys of <see cref="ContextKeys"/>.</param>
/// <param name="Message">Message context.</param>
public sealed record BindingFacts(
    string Sender, string RecipientDomain, IPAddress? Client, IReadOnlyDictionary<string, string> Connection, IReadOnlyDictionary<string, string> Message) : IRuleSubject
{
    public string? AuthUser => Connection.GetValueOrDefault(ContextKeys.AuthStatus) == "pass" ? Connection.GetValueOrDefault(ContextKeys.AuthUser) : null;

    /// <summary>The facts of a stored message, for <c>rebind</c>.</summary>
    public static BindingFacts Of(Envelope envelope)
    {
        var at = envelope.Recipient.LastIndexOf('@');
        return new(envelope.Sender, envelope.Recipient[(at + 1)..].ToLowerInvariant(), envelope.ReceivedFrom?.Address, envelope.ConnectionContext, envelope.MessageContext);
    }

    public IEnumerable<string> Header(string name) => Message.TryGetValue(ContextKeys.Header(name), out var value) ? [value] : [];

    /// <summary>The message context is asked before the connection's.</summary>
    public string? Context(string key) => Message.GetValueOrDefault(key) ?? Connection.GetValueOrDefault(key);
}
