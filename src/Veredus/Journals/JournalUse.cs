using Veredus.Journal;

namespace Veredus.Journals;

/// <summary>Keeps repairs away from journals in use.</summary>
internal static class JournalUse
{
    /// <exception cref="IOException">A process has it open; the message names it.</exception>
    public static void RefuseIfInUse(string directory)
    {
        var users = JournalUsers.Find(directory);
        if (users.Count > 0)
            throw new IOException($"'{directory}' is in use by {string.Join(", ", users)}; stop it first, a repair moves records under its feet.");
    }
}
