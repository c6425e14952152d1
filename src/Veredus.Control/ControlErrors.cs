namespace Veredus.Control;

/// <summary>The codes behind <c>-ERR</c> (mta.md 9.2).</summary>
public static class ControlErrors
{
    public const int Syntax = 400;
    public const int AuthenticationNeeded = 401;
    public const int NotAuthorized = 403;
    public const int NotFound = 404;
    public const int Conflict = 409;
    public const int InvalidValue = 422;
    public const int Internal = 500;

    /// <summary>Some nodes have not answered; the body has the answers of the others.</summary>
    public const int Incomplete = 504;

    /// <summary>What a user without the right reads; scripts look for it.</summary>
    public const string NotAuthorizedText = "Not Authorized for this command";
}
