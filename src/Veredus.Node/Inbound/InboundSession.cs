using Veredus.Reception;
using Veredus.Smtp;

namespace Veredus.Node.Inbound;

/// <summary>One open inbound session, with its policy.</summary>
/// <param name="Number">Descriptor of its socket.</param>
public sealed record InboundSession(SmtpServerSession Session, ReceptionSession Policy, string Endpoint, int Number);
